//! The servers under test: what they are, and one that runs.

use std::{
    collections::HashMap,
    env, fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{sleep, timeout},
};

use crate::{
    client::Paths,
    ledger,
    process::{Exit, Process, free_address},
    server::Kind,
};

/// The time in which a server starts, and in which a probe is answered.
const START: Duration = Duration::from_secs(30);
const PROBE: Duration = Duration::from_secs(2);
const TICK: Duration = Duration::from_millis(5);
/// The time that a server may take to stop, the drain not counted, before it is killed as an
/// orchestrator does.
pub(crate) const GRACE: Duration = Duration::from_secs(5);

/// What the servers of this program serve.
pub(crate) const OWN: Paths = Paths {
    quick: "/",
    slow: "/slow",
    orders: "/orders",
    events: "/events",
    websocket: "/websocket",
};

/// Servers of one kind with one record of the orders that they did.
#[derive(Debug)]
pub(crate) struct Fleet {
    kind: Kind,
    drain: Duration,
    folder: PathBuf,
    started: u32,
}

/// A running server. It is killed when dropped.
#[derive(Debug)]
pub(crate) struct Replica {
    process: Process,
    pub(crate) place: Place,
    log: PathBuf,
}

/// The addresses of a server, which its successor takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) address: SocketAddr,
    /// Where `/readyz` is.
    pub(crate) probes: SocketAddr,
}

impl Fleet {
    /// Uses an empty folder of that name below `folder`.
    pub(crate) fn new(kind: Kind, drain: Duration, folder: &Path, name: &str) -> Result<Self> {
        let folder = folder.join(name);
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        Ok(Self { kind, drain, folder, started: 0 })
    }

    pub(crate) fn paths(&self) -> Paths {
        OWN
    }

    /// Returns a place for a server of this fleet.
    pub(crate) fn place(&self) -> Result<Place> {
        let address = free_address()?;
        let probes = if self.kind.has_probes_apart() { free_address()? } else { address };
        Ok(Place { address, probes })
    }

    /// Starts a server and waits until it is ready.
    pub(crate) async fn start(&mut self, place: Place) -> Result<Replica> {
        self.started += 1;
        let log = self.folder.join(format!("server-{}.log", self.started));
        let arguments = [
            String::from("server"),
            format!("--kind={}", self.kind.name()),
            format!("--address={}", place.address),
            format!("--probes={}", place.probes),
            format!("--drain={}", self.drain.as_millis()),
            format!("--record={}", self.record().display()),
        ];
        let process = Process::start(&env::current_exe()?, &arguments, &log)?;
        let mut replica = Replica { process, place, log };
        replica.ready().await.with_context(|| format!("see {}", replica.log.display()))?;
        Ok(replica)
    }

    /// Returns how often the servers did each order.
    pub(crate) fn done(&self) -> Result<HashMap<String, u64>> {
        let record = self.record();
        if !record.exists() {
            return Ok(HashMap::new());
        }
        Ok(ledger::done(&fs::read_to_string(record)?))
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    fn record(&self) -> PathBuf {
        self.folder.join("done")
    }
}

impl Replica {
    async fn ready(&mut self) -> Result<()> {
        let begun = Instant::now();
        while get(self.place.probes, "/readyz").await != Some(200) {
            self.process.is_running()?;
            if begun.elapsed() > START {
                bail!("the server is not ready after {START:?}");
            }
            sleep(TICK).await;
        }
        Ok(())
    }

    /// Sends SIGTERM.
    pub(crate) fn terminate(&self) -> Result<Instant> {
        self.process.terminate().with_context(|| format!("see {}", self.log.display()))
    }

    /// Waits for the end; kills the server at the limit.
    pub(crate) async fn ended(mut self, since: Instant, limit: Duration) -> Result<Exit> {
        self.process.ended(since, limit).await
    }
}

/// Returns the status of a `GET` on a new connection, if there is one in time.
pub(crate) async fn get(address: SocketAddr, path: &str) -> Option<u16> {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await.ok()?;
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.ok()?;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        answer.split(' ').nth(1)?.parse().ok()
    };
    timeout(PROBE, exchange).await.ok()?
}
