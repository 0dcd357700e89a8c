//! The servers under test: what they are, and one that runs.

use std::{
    collections::HashMap,
    env, fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;
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

/// What the shop serves, of the same.
const SHOP: Paths = Paths {
    quick: "/",
    slow: "/orders?limit=5",
    orders: "/orders",
    events: "/events",
    websocket: "/track",
};
/// The program of the shop, beside this one.
const SHOP_PROGRAM: &str = "shop";
/// The most orders that the shop returns at once.
const PAGE: usize = 1000;

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
        if self.kind == Kind::Shop { SHOP } else { OWN }
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
        let own = env::current_exe()?;
        let process = match self.kind {
            Kind::Shop => {
                Process::start(&own.with_file_name(SHOP_PROGRAM), &self.shop(place), &log)?
            }
            _ => Process::start(&own, &self.server(place), &log)?,
        };
        let mut replica = Replica { process, place, log };
        replica.ready().await.with_context(|| format!("see {}", replica.log.display()))?;
        Ok(replica)
    }

    /// Returns how often the servers did each order; `replica` is one that runs.
    pub(crate) async fn done(&self, replica: &Replica) -> Result<HashMap<String, u64>> {
        if self.kind == Kind::Shop {
            return sold(replica.place.address).await;
        }
        Ok(ledger::done(&fs::read_to_string(self.record())?))
    }

    /// The arguments of a server of this program.
    fn server(&self, place: Place) -> Vec<String> {
        vec![
            String::from("server"),
            format!("--kind={}", self.kind.name()),
            format!("--address={}", place.address),
            format!("--probes={}", place.probes),
            format!("--drain={}", self.drain.as_millis()),
            format!("--record={}", self.record().display()),
        ]
    }

    /// The arguments of a shop. All share one database.
    fn shop(&self, place: Place) -> Vec<String> {
        vec![
            format!("--address={}", place.address),
            format!("--probe-address={}", place.probes),
            format!("--drain-delay={}ms", self.drain.as_millis()),
            format!("--database-url=sqlite://{}?mode=rwc", self.folder.join("shop.db").display()),
            // A full queue would be answered with 503, and is no loss.
            String::from("--queue=10000"),
            String::from("--packing-time=0s"),
            // Orders under load are read from the database and not from the log.
            String::from("--log=warn"),
        ]
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
        while get(self.place.probes, "/readyz").await.is_none_or(|(status, _)| status != 200) {
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

/// Returns how often a shop did each order, page by page.
async fn sold(shop: SocketAddr) -> Result<HashMap<String, u64>> {
    let mut sold = HashMap::new();
    let mut after = String::new();
    loop {
        let path = format!("/orders?limit={PAGE}&after={after}");
        let (status, body) = get(shop, &path).await.context("the shop does not answer")?;
        ensure!(status == 200, "{path}: {status}");
        let page: Value = serde_json::from_str(&body)?;
        let orders = page["orders"].as_array().context("a page without orders")?;
        for order in orders {
            let id = order["id"].as_str().context("an order without an id")?;
            id.clone_into(&mut after);
            sold.insert(id.to_owned(), order["requests"].as_u64().unwrap_or_default());
        }
        if orders.len() < PAGE {
            return Ok(sold);
        }
    }
}

/// Returns the status and the body of a `GET` on a new connection, if it is answered in time.
async fn get(address: SocketAddr, path: &str) -> Option<(u16, String)> {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await.ok()?;
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.ok()?;
        let answer = String::from_utf8(answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
    };
    timeout(PROBE, exchange).await.ok()?
}
