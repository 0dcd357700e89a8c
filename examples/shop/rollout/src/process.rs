//! Child processes, which never outlive the harness, and free ports for them.

use std::{
    fs::File,
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::Path,
    process::Stdio,
    sync::atomic::{AtomicU16, Ordering::Relaxed},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

/// Below the ports that Linux takes for outgoing connections: one of those may be in use just when
/// a server is started again.
const PORTS: std::ops::Range<u16> = 12_000..30_000;
/// Sets that the kernel ends a child with its parent; of util-linux, which Debian always has.
const SETPRIV: &str = "/usr/bin/setpriv";

/// How a process ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Exit {
    /// Nothing if it was killed at the end of its time.
    pub(crate) code: Option<i32>,
    /// The time from the signal on.
    pub(crate) took: Duration,
}

/// A child process. It is killed when dropped, and by the kernel should the harness be killed.
#[derive(Debug)]
pub(crate) struct Process(Child);

impl Process {
    /// Starts it with its output in a file.
    pub(crate) fn start(program: &Path, arguments: &[String], log: &Path) -> Result<Self> {
        let output =
            File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
        let mut command = if Path::new(SETPRIV).exists() {
            let mut command = Command::new(SETPRIV);
            command.args(["--pdeathsig", "KILL", "--"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .kill_on_drop(true);
        let child =
            command.spawn().with_context(|| format!("cannot start {}", program.display()))?;
        Ok(Self(child))
    }

    /// Sends SIGTERM; [`ended`](Self::ended) waits for the end.
    pub(crate) fn terminate(&self) -> Result<Instant> {
        let id = self.0.id().and_then(|id| Pid::from_raw(id.try_into().ok()?));
        kill_process(id.context("a server ended by itself")?, Signal::TERM)?;
        Ok(Instant::now())
    }

    /// Waits for the end, and kills the process at the limit.
    pub(crate) async fn ended(&mut self, since: Instant, limit: Duration) -> Result<Exit> {
        let code = match tokio::time::timeout(limit, self.0.wait()).await {
            Ok(status) => Some(status?.code().unwrap_or(-1)),
            Err(_) => {
                self.0.kill().await?;
                None
            }
        };
        Ok(Exit { code, took: since.elapsed() })
    }

    /// # Errors
    ///
    /// The process has ended.
    pub(crate) fn is_running(&mut self) -> Result<()> {
        match self.0.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("it ended with {status}"),
        }
    }
}

/// Returns a loopback address with a port that was free, and that no other call returns.
pub(crate) fn free_address() -> Result<SocketAddr> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Several runs at once begin at different ports.
    let first = fastrand::u16(PORTS);
    let _ = NEXT.compare_exchange(0, first, Relaxed, Relaxed);
    for _ in PORTS {
        let port = NEXT.fetch_add(1, Relaxed);
        if port >= PORTS.end {
            NEXT.store(PORTS.start, Relaxed);
            continue;
        }
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        match TcpListener::bind(address) {
            Ok(_) => return Ok(address),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            Err(error) => return Err(error.into()),
        }
    }
    bail!("no free port");
}
