//! The state of one connection, as its own future sees it (deadlines) and as the table of
//! connections sees it (which one to evict).
//!
//! ```text
//! Fresh ── header complete ──▶ Responding ── body buffered ──▶ Sending ── flushed ──▶ Idle
//!                                  ▲                                                   │
//!                                  └────── header complete ────── Header ◀─ first byte ┘
//! ```
//!
//! While a handler waits for the body of the request, `Responding` is `Receiving`.
//!
//! All writes come from the connection's own task. An outside reader may see a state that has just
//! ended, and at worst evicts a connection that was about to become busy. The state is written last
//! and read first, so that its times are never older than it.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
    time::Duration,
};

use http::{Method, Uri};
use task_core::scope::guarded_name;
use tokio::time::Instant;

use crate::config::{Limits, limits::after};

/// How long, in microseconds, the server waits for a client to read its response, or to send the
/// body of its request, before its connection can be evicted.
const SLOW_CLIENT_TIMEOUT: u64 = 1_000_000;

/// How many bytes of a method and of a path are shown.
const MAX_METHOD: usize = 16;
const MAX_PATH: usize = 100;

/// The state of one connection.
#[derive(Debug)]
pub(crate) struct Activity {
    state: AtomicU8,
    /// When the deadline of the state began to run, in microseconds since `epoch`.
    since: AtomicU64,
    /// When the last wait for the client to send a body or to read a response began, likewise.
    awaited: AtomicU64,
    /// When the client last sent or took bytes in that wait, or else its begin, likewise.
    progressed: AtomicU64,
    /// The last request, once it is known where it leads to.
    request: Mutex<Option<Request>>,
    epoch: Instant,
}

/// What is kept of a request, to name it if its response is cut.
#[derive(Debug)]
struct Request {
    method: Method,
    uri: Uri,
    /// Whether it is for a user route, and not for an endpoint.
    is_of_route: bool,
}

/// A request without its whole response.
#[derive(Debug)]
pub(crate) struct Unanswered {
    /// Method and path, escaped and bounded. The query may be a secret.
    pub(crate) name: String,
    pub(crate) is_of_route: bool,
    /// How long ago its header was complete.
    pub(crate) age: Duration,
}

/// What a connection is doing. The discriminants are those that [`Activity::state`] reads back.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum State {
    /// Accepted; no request yet. A TLS handshake is part of it.
    Fresh,
    /// Between two requests.
    Idle,
    /// A header has begun after an earlier request.
    Header,
    /// A handler waits for the body of the request.
    Receiving,
    /// A handler prepares the response.
    Responding,
    /// The response is in the write buffer, and the client has not taken all of it.
    Sending,
}

impl Activity {
    /// Makes the state of a new connection. `epoch` is when the server started.
    pub(crate) fn new(epoch: Instant) -> Self {
        let activity = Self {
            state: AtomicU8::new(0),
            since: AtomicU64::new(0),
            awaited: AtomicU64::new(0),
            progressed: AtomicU64::new(0),
            request: Mutex::default(),
            epoch,
        };
        activity.enter(State::Fresh);
        activity
    }

    /// Records that the client has sent bytes.
    pub(crate) fn bytes_received(&self) {
        match self.state() {
            State::Idle => self.enter(State::Header),
            State::Receiving => self.progressed.store(self.now(), Ordering::Relaxed),
            State::Fresh | State::Header | State::Responding | State::Sending => {}
        }
    }

    /// Records that the system has taken bytes for the client.
    pub(crate) fn bytes_sent(&self) {
        if self.state() == State::Sending {
            self.progressed.store(self.now(), Ordering::Relaxed);
        }
    }

    /// Records that the header of a request is complete.
    pub(crate) fn header_completed(&self) {
        self.enter(State::Responding);
    }

    /// Records what the request is.
    pub(crate) fn request_known(&self, method: &Method, uri: &Uri, is_of_route: bool) {
        let (method, uri) = (method.clone(), uri.clone());
        *self.request() = Some(Request { method, uri, is_of_route });
    }

    /// Returns the request in progress, if there is one whose response has not been sent in full.
    pub(crate) fn unanswered(&self) -> Option<Unanswered> {
        if self.awaits_request() {
            return None;
        }
        let age = self.now().saturating_sub(self.since.load(Ordering::Relaxed));
        let request = self.request();
        let Request { method, uri, is_of_route } = request.as_ref()?;
        let (method, path) = (cut(method.as_str(), MAX_METHOD), cut(uri.path(), MAX_PATH));
        let name = format!("{method} {path}");
        Some(Unanswered { name, is_of_route: *is_of_route, age: Duration::from_micros(age) })
    }

    /// Records that a handler waits for the body of the request. The deadline stays.
    pub(crate) fn body_awaited(&self) {
        self.wait_for_client(State::Receiving);
    }

    /// Records that the wait for the body has ended. The deadline stays.
    pub(crate) fn body_received(&self) {
        self.state.store(State::Responding as u8, Ordering::Release);
    }

    /// Records that the whole response is in the write buffer. The deadline stays.
    pub(crate) fn response_buffered(&self) {
        if self.state() == State::Responding {
            self.wait_for_client(State::Sending);
        }
    }

    /// Records that the write buffer is empty.
    pub(crate) fn flushed(&self) {
        if self.state() == State::Sending {
            self.enter(State::Idle);
        }
    }

    /// Returns whether the connection has no complete request.
    pub(crate) fn awaits_request(&self) -> bool {
        matches!(self.state(), State::Fresh | State::Idle | State::Header)
    }

    /// Returns the place of the connection in the order of eviction, lowest first; `None` if it
    /// cannot be evicted now.
    ///
    /// First come the connections without a request, oldest first; then those whose client has
    /// stalled in the body of its request or in its response; then those whose client is slow
    /// there, since it could keep a connection from all others with a few bytes a second.
    pub(crate) fn eviction_rank(&self) -> Option<(u8, u64)> {
        let since = |time: &AtomicU64| time.load(Ordering::Relaxed);
        match self.state() {
            State::Fresh | State::Idle | State::Header => Some((0, since(&self.since))),
            State::Receiving | State::Sending => {
                let is_due = |time| self.now().saturating_sub(time) >= SLOW_CLIENT_TIMEOUT;
                let ranks = [(1, since(&self.progressed)), (2, since(&self.awaited))];
                ranks.into_iter().find(|(_, time)| is_due(*time))
            }
            State::Responding => None,
        }
    }

    /// Returns when the connection is closed if its state does not change.
    pub(crate) fn deadline(&self, limits: &Limits) -> Instant {
        let timeout = match self.state() {
            State::Fresh | State::Header => limits.header_timeout,
            State::Idle => limits.idle_timeout,
            State::Receiving | State::Responding | State::Sending => limits.response_timeout,
        };
        after(self.epoch + Duration::from_micros(self.since.load(Ordering::Relaxed)), timeout)
    }

    fn request(&self) -> MutexGuard<'_, Option<Request>> {
        self.request.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> State {
        match self.state.load(Ordering::Acquire) {
            0 => State::Fresh,
            1 => State::Idle,
            2 => State::Header,
            3 => State::Receiving,
            4 => State::Responding,
            _ => State::Sending,
        }
    }

    /// Enters a state whose deadline begins to run now.
    fn enter(&self, state: State) {
        // Another thread may see the new time with the old state, and then evicts too late or too
        // early by one state: see the module.
        self.since.store(self.now(), Ordering::Relaxed);
        self.state.store(state as u8, Ordering::Release);
    }

    /// Enters a state in which the server waits for the client. The deadline stays.
    fn wait_for_client(&self, state: State) {
        let now = self.now();
        self.awaited.store(now, Ordering::Relaxed);
        self.progressed.store(now, Ordering::Relaxed);
        self.state.store(state as u8, Ordering::Release);
    }

    /// Returns the time since `epoch`, in microseconds.
    fn now(&self) -> u64 {
        // A u64 of microseconds is half a million years.
        self.epoch.elapsed().as_micros() as u64
    }
}

/// Returns the beginning of a text that a client has sent, for one line of a log or a report.
fn cut(text: &str, max: usize) -> String {
    let short: String = text.chars().take(max).collect();
    let more = if short.len() < text.len() { "..." } else { "" };
    guarded_name(&short) + more
}
