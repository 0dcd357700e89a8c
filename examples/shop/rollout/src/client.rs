//! The clients, each of a kind that production has.

mod events;
mod http1;
mod http2;
mod websocket;

mod wire;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use tokio::{net::TcpStream, sync::watch, time::timeout};

use crate::{
    balancer::Balancer,
    ledger::Post,
    outcome::{Counts, Outcome},
};
pub(crate) use websocket::{Storm, storm};
use wire::Connection;

/// The time that a client gives an answer, and a dial.
const LIMIT: Duration = Duration::from_secs(10);
/// The item of every order, for a server that sells.
const ITEM: &str = "tea";

/// How a client uses its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// HTTP/1.1 with keep-alive; looks whether the server has closed before it sends, as the pools
    /// of hyper and Go do.
    Looking,
    /// HTTP/1.1 with keep-alive; sends without a look, as many blocking clients do.
    Blind,
    /// HTTP/2 with prior knowledge; two requests at a time.
    Http2,
    /// Server-sent events over HTTP/1.1: an answer without an end.
    Events,
    /// A WebSocket.
    WebSocket,
    /// Server-sent events over HTTP/2.
    Http2Events,
}

impl Kind {
    pub(crate) const REQUESTS: [Self; 3] = [Self::Looking, Self::Blind, Self::Http2];
    pub(crate) const STREAMS: [Self; 3] = [Self::Events, Self::WebSocket, Self::Http2Events];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Looking => "looking",
            Self::Blind => "blind",
            Self::Http2 => "h2",
            Self::Events => "sse",
            Self::WebSocket => "websocket",
            Self::Http2Events => "h2 sse",
        }
    }
}

/// What all clients of a load share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) balancer: Balancer,
    pub(crate) paths: Paths,
    /// The longest pause between two requests.
    pub(crate) pause: Duration,
    pub(crate) is_over: watch::Receiver<bool>,
    /// The requests so far, so that a scenario knows when all clients are at work.
    pub(crate) requests: AtomicU64,
}

/// What the servers under test serve, and where.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paths {
    /// A cheap `GET`, and one that takes some milliseconds.
    pub(crate) quick: &'static str,
    pub(crate) slow: &'static str,
    /// `POST` with an id in a JSON body.
    pub(crate) orders: &'static str,
    pub(crate) events: &'static str,
    pub(crate) websocket: &'static str,
}

/// A client: its place, and what it has seen so far.
#[derive(Debug)]
pub(crate) struct Client {
    shared: Arc<Shared>,
    /// Unique among all clients of all loads, for the ids of its orders.
    name: String,
    sent: u64,
    random: fastrand::Rng,
    seen: Seen,
}

/// What a client saw.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) counts: Counts,
    pub(crate) posts: Vec<Post>,
}

/// A request to be sent.
#[derive(Clone, Debug)]
struct Request {
    path: &'static str,
    /// The id and the body of a `POST`.
    order: Option<(String, String)>,
}

impl Client {
    pub(crate) fn new(shared: Arc<Shared>, name: String, seed: u64) -> Self {
        let random = fastrand::Rng::with_seed(seed);
        Self { shared, name, sent: 0, random, seen: Seen::default() }
    }

    /// Sends requests until the load is over. Returns what it saw.
    pub(crate) async fn run(mut self, kind: Kind) -> Seen {
        match kind {
            Kind::Looking => http1::run(&mut self, true).await,
            Kind::Blind => http1::run(&mut self, false).await,
            Kind::Http2 => http2::requests(&mut self).await,
            Kind::Events => self.streams(self.shared.paths.events, events::stream).await,
            Kind::WebSocket => {
                self.streams(self.shared.paths.websocket, websocket::conversation).await;
            }
            Kind::Http2Events => http2::streams(&mut self).await,
        }
        self.seen
    }

    /// Opens one stream after another, each on a connection of its own and until its end.
    async fn streams<S: Future<Output = Outcome>>(
        &mut self,
        path: &'static str,
        stream: fn(Connection, &'static str) -> S,
    ) {
        while !self.is_over() {
            self.pause().await;
            let Some(dialled) = self.dial().await else { continue };
            let over = self.over();
            let outcome = tokio::select! {
                outcome = stream(Connection::new(dialled), path) => outcome,
                () = over => Outcome::Answered,
            };
            self.count(outcome, true);
        }
    }

    fn is_over(&self) -> bool {
        *self.shared.is_over.borrow()
    }

    /// Returns a future that ends when the load is over.
    fn over(&self) -> impl Future<Output = ()> + 'static {
        let mut is_over = self.shared.is_over.clone();
        async move {
            // An error means that the load was dropped.
            let _ = is_over.wait_for(|is_over| *is_over).await;
        }
    }

    /// Waits for a random time, or less if the load is over.
    async fn pause(&mut self) {
        let longest = u64::try_from(self.shared.pause.as_micros()).unwrap_or(u64::MAX);
        let pause = Duration::from_micros(self.random.u64(..=longest));
        let over = self.over();
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = over => {}
        }
    }

    /// Returns a random request: of ten, three are orders and one is slow.
    fn request(&mut self) -> Request {
        self.sent += 1;
        let Paths { quick, slow, orders, .. } = self.shared.paths;
        match self.random.u8(..10) {
            0..3 => {
                let id = format!("{}-{}", self.name, self.sent);
                let body = format!(r#"{{"id":"{id}","item":"{ITEM}","quantity":1}}"#);
                Request { path: orders, order: Some((id, body)) }
            }
            3 => Request { path: slow, order: None },
            _ => Request { path: quick, order: None },
        }
    }

    /// Counts an outcome. A failure that the promise does not cover is the harness's own.
    fn count(&mut self, outcome: Outcome, is_covered: bool) {
        self.shared.requests.fetch_add(1, Relaxed);
        self.seen.counts.overslept += u64::from(outcome.is_failure() && !is_covered);
        self.seen.counts.add(outcome);
    }

    /// Counts what a request came to that was sent on a connection after a pause, and records what
    /// the client knows of the order in it.
    fn count_request(&mut self, request: Request, outcome: Outcome, idle: Duration) {
        if let Some((id, _)) = request.order {
            self.seen.posts.push(Post { id, is_answered: outcome == Outcome::Answered });
        }
        self.count(outcome, self.shared.balancer.covers_pause(idle));
    }

    /// Dials the server that the balancer names; a failure is counted.
    async fn dial(&mut self) -> Option<(TcpStream, SocketAddr)> {
        let server = self.shared.balancer.pick()?;
        let dialled = Instant::now();
        let outcome = match timeout(LIMIT, TcpStream::connect(server)).await {
            Ok(Ok(stream)) => {
                // It matters for the time of requests only.
                let _ = stream.set_nodelay(true);
                return Some((stream, server));
            }
            Ok(Err(_)) => Outcome::Refused,
            Err(_) => Outcome::Late,
        };
        self.count(outcome, self.shared.balancer.covers_dial(server, dialled));
        None
    }
}
