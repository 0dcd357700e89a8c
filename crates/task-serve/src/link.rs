//! The state of one connection, as its own future sees it (deadlines), as the table of connections
//! sees it (which one to evict), and as the stop sees it (what is in flight).
//!
//! ```text
//! Fresh ── header complete ──▶ Active ── answered ──▶ Sending ── flushed ──▶ Idle
//!   │                            ▲  │                                          │
//!   │ preface of HTTP/2          │  └── 101 ──▶ Upgraded                       │
//!   ▼                            └──────── header complete ─ Header ◀─ first byte
//! Idle
//! ```
//!
//! Over HTTP/2 there are no `Header` and no `Sending`: several requests share the connection, and
//! each has ended when hyper has taken all of its answer.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering},
    },
    task::Waker,
    time::Duration,
};

use task_core::{
    Hold, WaitFor,
    scope::{ChildrenView, Level},
};
use task_listen::Occupant;
use tokio::{task::AbortHandle, time::Instant};

use crate::{
    exchange::Exchange,
    limits::{Limits, after},
    shared::Shared,
    stats::Stats,
};

mod observer;

pub(crate) use observer::Observer;

/// The state of one connection.
#[derive(Debug)]
pub(crate) struct Link {
    state: AtomicU8,
    /// When the state began, in microseconds since the epoch.
    since: AtomicU64,
    accepted: u64,
    /// Since when the client takes nothing of what waits for it, likewise; 0 if nothing waits.
    blocked: AtomicU64,
    is_http2: AtomicBool,
    /// It is to end with its next answer.
    retires: AtomicBool,
    exchanges: Mutex<Vec<Arc<Exchange>>>,
    upgrade: Mutex<Upgrade>,
    close: Level,
    shared: Arc<Shared>,
    /// Keeps the task from having ended while the connection lives.
    hold: Mutex<Option<Hold>>,
    /// With which the manager names the connection, also once the task's future has ended.
    _view: View,
}

struct View(Arc<dyn ChildrenView>);

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("View").field(&self.0.count()).finish()
    }
}

/// What a connection is doing. The discriminants are those that [`Link::state`] reads back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum State {
    /// Accepted; no request yet.
    Fresh,
    /// In the TLS handshake.
    Handshake,
    /// Between two requests.
    Idle,
    /// The header of a request has begun.
    Header,
    /// A request is in flight.
    Active,
    /// The answer is in the write buffer, and the client has not taken all of it.
    Sending,
    /// The stream has left HTTP, and belongs to a handler.
    Upgraded,
}

/// An upgraded connection: its name, since when it is one, and who waits for its stream.
#[derive(Debug, Default)]
struct Upgrade {
    name: String,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// It closes: for want of room, or at the end of the stop.
const EVICTED: u64 = 1;
const CUT: u64 = 2;

/// How long a client may take for its header before its connection can be evicted.
const SLOW_CLIENT: Duration = Duration::from_secs(1);

impl Link {
    pub(crate) fn new(shared: Arc<Shared>, hold: Hold, view: Arc<dyn ChildrenView>) -> Self {
        let now = shared.now();
        let link = Self {
            state: AtomicU8::new(State::Fresh as u8),
            since: AtomicU64::new(now),
            accepted: now,
            blocked: AtomicU64::new(0),
            is_http2: AtomicBool::new(false),
            retires: AtomicBool::new(false),
            exchanges: Mutex::default(),
            upgrade: Mutex::default(),
            close: Level::new(),
            shared,
            hold: Mutex::new(Some(hold)),
            _view: View(view),
        };
        Stats::add(&link.stats().connections);
        Stats::add(&link.stats().accepted);
        link
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    pub(crate) fn stats(&self) -> &Stats {
        &self.shared.stats
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.shared.limits
    }

    pub(crate) fn now(&self) -> u64 {
        self.shared.now()
    }

    /// Returns from when the age of a request counts whose header is complete now: from the first
    /// byte of the header where that is known, which saves a look at the clock, or from now. It is
    /// not known for the first request of a connection, for one that was pipelined, and over
    /// HTTP/2.
    pub(crate) fn request_begun(&self) -> u64 {
        let since = self.since.load(Ordering::Relaxed);
        // The time for the header of the first request runs since the connection was accepted.
        if self.state() == State::Header && since != self.accepted { since } else { self.now() }
    }

    pub(crate) fn is_http2(&self) -> bool {
        self.is_http2.load(Ordering::Relaxed)
    }

    /// Records the version of HTTP, if its preface came in pieces.
    pub(crate) fn is_of_http2(&self) {
        self.is_http2.store(true, Ordering::Relaxed);
    }

    /// Asks the connection to end with its next answer.
    pub(crate) fn retire(&self) {
        self.retires.store(true, Ordering::Relaxed);
    }

    pub(crate) fn retires(&self) -> bool {
        self.retires.load(Ordering::Relaxed)
    }

    /// Waits until the connection is to be dropped at once.
    pub(crate) fn closes(&self) -> WaitFor<'_> {
        self.close.reached(EVICTED)
    }

    /// Returns whether the connection is to be dropped at once.
    pub(crate) fn is_closing(&self) -> bool {
        self.close.get() >= EVICTED
    }

    fn is_cut(&self) -> bool {
        self.close.get() >= CUT
    }

    /// Cuts the connection: it is dropped at once, and what it has in flight is counted.
    pub(crate) fn cut(&self) {
        self.close_as(CUT);
    }

    fn close_as(&self, level: u64) {
        self.close.raise(level);
        // An upgraded stream has no future of ours that would see it.
        let mut upgrade = lock(&self.upgrade);
        let wakers = [upgrade.reader.take(), upgrade.writer.take()];
        drop(upgrade);
        wakers.into_iter().flatten().for_each(Waker::wake);
    }

    #[cfg(feature = "tls")]
    /// The TLS handshake begins. The time for it has begun before.
    pub(crate) fn handshake_begun(&self) {
        self.state.store(State::Handshake as u8, Ordering::Release);
    }

    #[cfg(feature = "tls")]
    /// The TLS handshake is done. Its time goes on, for the header.
    pub(crate) fn handshake_done(&self) {
        self.state.store(State::Fresh as u8, Ordering::Release);
    }

    pub(crate) fn exchange_begun(&self, exchange: &Arc<Exchange>) {
        let mut exchanges = lock(&self.exchanges);
        if !self.is_http2() {
            // The answer before it has been sent, or a pipelined request follows it.
            exchanges.clear();
        }
        exchanges.push(Arc::clone(exchange));
        self.enter_timeless(State::Active);
    }

    pub(crate) fn exchange_over(&self, exchange: &Arc<Exchange>, has_ended: bool) {
        let mut exchanges = lock(&self.exchanges);
        let is_cut = !has_ended && self.is_cut();
        if is_cut {
            self.count_cut(exchange);
        }
        if self.is_http2() || is_cut {
            exchanges.retain(|other| !Arc::ptr_eq(other, exchange));
            if exchanges.is_empty() {
                self.enter(State::Idle);
            }
        } else if self.state() == State::Active {
            self.enter_timeless(State::Sending);
        }
    }

    /// Gives the request that has begun last the task of its stream.
    pub(crate) fn exchange_spawned(&self, stream: AbortHandle) {
        if let Some(exchange) = lock(&self.exchanges).last() {
            exchange.spawned(stream);
        }
    }

    /// Resets the streams of HTTP/2 of whose answers the client takes nothing, and closes the
    /// connection if one has left all of its answer to it.
    pub(crate) fn abort_stalled(&self) {
        let now = self.now();
        let timeout = self.limits().write_timeout;
        let aborted = |exchange: &Arc<Exchange>| exchange.abort_if_stalled(now, timeout);
        let are_aborted = lock(&self.exchanges).iter().all(aborted);
        if !are_aborted {
            self.close_as(EVICTED);
        }
    }

    /// The stream leaves HTTP, for a handler that has it from now on.
    pub(crate) fn upgraded(&self, name: String) {
        lock(&self.upgrade).name = name;
        lock(&self.exchanges).clear();
        self.enter(State::Upgraded);
        Stats::add(&self.stats().upgraded);
    }

    fn count_cut(&self, exchange: &Exchange) {
        if exchange.count() {
            Stats::add(&self.stats().cut);
            self.shared.cut().add(exchange.name(), exchange.age(self.now()), true);
        }
    }

    /// Counts what is cut and still there: a connection that did not end although it was dropped,
    /// and an upgraded one.
    pub(crate) fn count_rest(&self) {
        for exchange in lock(&self.exchanges).iter() {
            self.count_cut(exchange);
        }
        let name = match self.state() {
            State::Upgraded => std::mem::take(&mut lock(&self.upgrade).name),
            _ => return,
        };
        if !name.is_empty() {
            Stats::add(&self.stats().cut);
            self.shared.cut().add(name, self.age(), true);
        }
    }

    /// Counts a connection that the stop closes although its client has begun something.
    pub(crate) fn count_unfinished(&self) {
        let name = match self.state() {
            State::Handshake => "TLS handshake",
            State::Header => "incomplete header",
            _ if self.is_http2() => "HTTP/2 connection without an answer to the GOAWAY",
            _ => return,
        };
        Stats::add(&self.stats().cut);
        self.shared.cut().add(name.to_owned(), self.age(), false);
    }

    /// Calls `visit` with the name and the age of each thing in flight.
    pub(crate) fn for_each_in_flight(&self, mut visit: impl FnMut(Duration, &dyn Fn() -> String)) {
        let now = self.now();
        for exchange in lock(&self.exchanges).iter() {
            visit(exchange.age(now), &|| exchange.name());
        }
        if self.state() == State::Upgraded {
            visit(self.age(), &|| lock(&self.upgrade).name.clone());
        }
    }

    /// Returns how long the state has lasted.
    fn age(&self) -> Duration {
        Duration::from_micros(self.now().saturating_sub(self.since.load(Ordering::Relaxed)))
    }

    /// Returns when the connection is closed if its state does not change.
    pub(crate) fn deadline(&self) -> Instant {
        let limits = self.limits();
        let state = self.state();
        // After the state, which another thread may enter meanwhile: an idle connection would
        // otherwise seem to be idle since the last time that it was.
        let since = self.since.load(Ordering::Relaxed);
        let (since, timeout) = match state {
            State::Fresh | State::Handshake | State::Header => (since, limits.header_timeout),
            State::Idle => (since, limits.idle_timeout),
            State::Active | State::Sending => match self.blocked.load(Ordering::Relaxed) {
                0 => (since, Duration::MAX),
                blocked => (blocked, limits.write_timeout),
            },
            State::Upgraded => (since, Duration::MAX),
        };
        after(self.shared.instant(since), timeout)
    }

    /// Returns until when a connection without a request stays open although the server has
    /// stopped; `None` if it has a request.
    pub(crate) fn lingers_until(&self, stopped: Instant) -> Option<Instant> {
        let since = match self.state() {
            // A header or a handshake that has begun gets the same time, from the stop on.
            State::Header | State::Handshake => stopped,
            State::Fresh | State::Idle => self.shared.instant(self.since.load(Ordering::Relaxed)),
            State::Active | State::Sending | State::Upgraded => return None,
        };
        Some(after(since, self.limits().min_keep_alive))
    }

    pub(crate) fn state(&self) -> State {
        match self.state.load(Ordering::Acquire) {
            0 => State::Fresh,
            1 => State::Handshake,
            2 => State::Idle,
            3 => State::Header,
            4 => State::Active,
            5 => State::Sending,
            _ => State::Upgraded,
        }
    }

    fn enter(&self, state: State) {
        self.since.store(self.now(), Ordering::Relaxed);
        self.state.store(state as u8, Ordering::Release);
    }

    /// Enters a state whose length has no limit: the exchange has a time of its own. Reading the
    /// clock is a measurable part of what a short request costs.
    fn enter_timeless(&self, state: State) {
        self.state.store(state as u8, Ordering::Release);
    }
}

impl Occupant for Link {
    /// First come the connections between two requests; then, with none of them, those whose first
    /// request is late; and those last that were just answered, whose clients may have written the
    /// next request already.
    fn eviction_rank(&self) -> Option<(u8, u64)> {
        let state = self.state();
        let since = self.since.load(Ordering::Relaxed);
        match state {
            State::Idle if self.age() < self.limits().min_keep_alive => Some((2, since)),
            State::Idle => Some((0, since)),
            State::Fresh | State::Handshake | State::Header => {
                (self.age() >= SLOW_CLIENT).then_some((1, since))
            }
            State::Active | State::Sending | State::Upgraded => None,
        }
    }

    fn evict(&self) {
        Stats::add(&self.stats().evicted);
        self.close_as(EVICTED);
    }

    fn left(&self) {
        if self.is_cut() {
            self.count_rest();
        }
        Stats::subtract(&self.stats().connections);
        if self.state() == State::Upgraded {
            Stats::subtract(&self.stats().upgraded);
        }
        // Released and not dropped: a handler that panics is no failure of the whole server.
        if let Some(hold) = lock(&self.hold).take() {
            hold.release();
        }
    }
}

/// Locks, and ignores poisoning: no critical section can leave the data inconsistent.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
