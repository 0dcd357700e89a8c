//! HAProxy in front of servers, as Debian has it.

use std::{
    env, fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{sleep, timeout},
};

use crate::{
    fleet::Place,
    process::{Process, free_address},
};

const LIMIT: Duration = Duration::from_secs(30);
const TICK: Duration = Duration::from_millis(20);

/// A proxy that a scenario needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proxy {
    HaProxy,
}

impl Proxy {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::HaProxy => "haproxy",
        }
    }

    /// Returns the program, if it is installed. Debian has it where only root looks for programs.
    pub(crate) fn program(self) -> Option<PathBuf> {
        let path = env::var_os("PATH").unwrap_or_default();
        let folders = env::split_paths(&path).chain(["/usr/sbin".into()]);
        folders.map(|folder| folder.join(self.name())).find(|program| program.is_file())
    }
}

/// A running HAProxy. It is killed when dropped.
#[derive(Debug)]
pub(crate) struct Running {
    process: Process,
    /// Where it takes HTTP/1.1, HTTP/2, and requests for its state.
    addresses: [SocketAddr; 2],
    state: SocketAddr,
}

impl Running {
    /// Starts it in front of these servers, and waits until it sees that all are ready.
    pub(crate) async fn start(places: &[Place], folder: &Path) -> Result<Self> {
        let program = Proxy::HaProxy.program().context("it is not installed")?;
        let addresses = [free_address()?, free_address()?];
        let state = free_address()?;
        let file = folder.join("haproxy.cfg");
        fs::write(&file, configuration(places, addresses, state))?;
        let arguments = ["-db", "-f", &file.to_string_lossy()].map(str::to_owned);
        let process = Process::start(&program, &arguments, &folder.join("haproxy.log"))?;
        let mut running = Self { process, addresses, state };
        running.all_up(places.len()).await?;
        Ok(running)
    }

    pub(crate) fn addresses(&self) -> [SocketAddr; 2] {
        self.addresses
    }

    /// Waits until the health checks of all servers pass, for each protocol.
    pub(crate) async fn all_up(&mut self, servers: usize) -> Result<()> {
        let begun = Instant::now();
        loop {
            self.process.is_running()?;
            let state = timeout(LIMIT, csv(self.state)).await?;
            if state.is_ok_and(|state| up(&state) == 2 * servers) {
                return Ok(());
            }
            ensure!(begun.elapsed() < LIMIT, "it does not see that the servers are ready");
            sleep(TICK).await;
        }
    }
}

/// HAProxy that tries nothing twice, so that what a server loses is seen.
fn configuration(places: &[Place], addresses: [SocketAddr; 2], state: SocketAddr) -> String {
    let servers = |protocol: &str| -> String {
        let line = |(number, place): (usize, &Place)| {
            let Place { address, probes } = place;
            format!(
                "    server replica{number} {address} {protocol} check port {} inter 100ms fall 2 rise 1\n",
                probes.port()
            )
        };
        places.iter().enumerate().map(line).collect()
    };
    let [http1, http2] = addresses;
    format!(
        "global
    maxconn 4000
defaults
    mode http
    retries 0
    timeout connect 5s
    timeout client 30s
    timeout server 30s
    timeout check 2s
    option httpchk GET /readyz
listen http1
    bind {http1}
{}listen http2
    bind {http2} proto h2
{}frontend state
    bind {state}
    stats enable
    stats uri /
",
        servers(""),
        servers("proto h2 check-proto h1")
    )
}

/// Returns HAProxy's state as comma-separated values.
async fn csv(state: SocketAddr) -> Result<String> {
    let mut stream = TcpStream::connect(state).await?;
    stream.write_all(b"GET /;csv HTTP/1.0\r\n\r\n").await?;
    let mut text = String::new();
    stream.read_to_string(&mut text).await?;
    Ok(text)
}

/// Counts the servers that are up.
fn up(csv: &str) -> usize {
    let mut lines = csv.lines().skip_while(|line| !line.starts_with("# "));
    let Some(head) = lines.next() else { return 0 };
    let column = |name: &str| head[2..].split(',').position(|column| column == name);
    let Some((server, status)) = column("svname").zip(column("status")) else { return 0 };
    let is_up = |line: &&str| {
        let fields: Vec<&str> = line.split(',').collect();
        let field = |index: usize| fields.get(index).copied().unwrap_or_default();
        field(server).starts_with("replica") && field(status) == "UP"
    };
    lines.filter(is_up).count()
}

#[cfg(test)]
mod tests {
    use super::up;

    #[test]
    fn servers_that_are_up_are_counted() {
        let csv = "HTTP/1.0 200 OK\r\n\r\n# pxname,svname,scur,status,\nhttp1,FRONTEND,1,OPEN,\n\
                   http1,replica0,2,UP,\nhttp1,replica1,0,DOWN,\nhttp1,replica2,0,UP 1/2,\n\
                   http1,BACKEND,0,UP,\n";
        assert_eq!(up(csv), 1);
        assert_eq!(up("# nothing"), 0);
    }
}
