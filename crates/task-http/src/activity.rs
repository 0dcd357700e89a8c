//! What one connection is doing, as seen by its own future (deadlines) and from outside (making room).
//!
//! ```text
//! Fresh ── header complete ──▶ Answering ── body handed over ──▶ Sending ── flushed ──▶ Idle
//!                                  ▲                                                     │
//!                                  └────── header complete ────── Header ◀── first byte ─┘
//! ```
//!
//! While a request's body is awaited, `Answering` is `Receiving`.

use std::{
    sync::atomic::{AtomicU8, AtomicU64, Ordering},
    time::Duration,
};

use tokio::time::Instant;

use crate::config::{Limits, limits::after};

/// For how long, in microseconds, a connection keeps its place while its client does not read, or does not send
/// the body of its request.
const PATIENCE: u64 = 1_000_000;

/// The state of one connection. All changes are made by the connection's own task; others only read.
#[derive(Debug)]
pub(crate) struct Activity {
    doing: AtomicU8,
    /// When its deadline began to run, in microseconds since `epoch`.
    since: AtomicU64,
    epoch: Instant,
}

#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Doing {
    Fresh,
    Idle,
    Header,
    Receiving,
    Answering,
    Sending,
}

impl Activity {
    /// Makes the state of a connection that was just accepted, by a server that runs since `epoch`.
    pub(crate) fn new(epoch: Instant) -> Self {
        let activity = Self { doing: AtomicU8::new(0), since: AtomicU64::new(0), epoch };
        activity.enter(Doing::Fresh);
        activity
    }

    /// Bytes came in.
    pub(crate) fn received(&self) {
        if self.doing() == Doing::Idle {
            self.enter(Doing::Header);
        }
    }

    /// A request is complete, as far as its header goes.
    pub(crate) fn requested(&self) {
        self.enter(Doing::Answering);
    }

    /// The body of the request is awaited, whole. The deadline runs on.
    pub(crate) fn awaits_body(&self) {
        self.doing.store(Doing::Receiving as u8, Ordering::Relaxed);
    }

    /// The body of the request is there. The deadline runs on.
    pub(crate) fn has_body(&self) {
        self.doing.store(Doing::Answering as u8, Ordering::Relaxed);
    }

    /// The answer is in the connection's buffer, whole. The deadline runs on.
    pub(crate) fn handed_over(&self) {
        if self.doing() == Doing::Answering {
            self.doing.store(Doing::Sending as u8, Ordering::Relaxed);
        }
    }

    /// The connection's buffer is empty.
    pub(crate) fn flushed(&self) {
        if self.doing() == Doing::Sending {
            self.enter(Doing::Idle);
        }
    }

    /// Tells whether nobody waits for an answer.
    pub(crate) fn is_waiting(&self) -> bool {
        matches!(self.doing(), Doing::Fresh | Doing::Idle | Doing::Header)
    }

    /// Returns how soon this connection should make room for another, lowest first: the one that has gone longest
    /// without a request, and then the one whose client takes longest to send its body or to read its answer. `None`: not
    /// at all.
    pub(crate) fn dispensable(&self) -> Option<(u8, u64)> {
        let since = self.since.load(Ordering::Relaxed);
        match self.doing() {
            Doing::Fresh | Doing::Idle | Doing::Header => Some((0, since)),
            Doing::Receiving | Doing::Sending if self.now().saturating_sub(since) >= PATIENCE => {
                Some((1, since))
            }
            Doing::Receiving | Doing::Answering | Doing::Sending => None,
        }
    }

    /// Returns when the connection must have moved on.
    pub(crate) fn deadline(&self, limits: &Limits) -> Instant {
        let time = match self.doing() {
            Doing::Fresh | Doing::Header => limits.header_time,
            Doing::Idle => limits.idle_time,
            Doing::Receiving | Doing::Answering | Doing::Sending => limits.response_time,
        };
        after(self.epoch + Duration::from_micros(self.since.load(Ordering::Relaxed)), time)
    }

    fn doing(&self) -> Doing {
        match self.doing.load(Ordering::Relaxed) {
            0 => Doing::Fresh,
            1 => Doing::Idle,
            2 => Doing::Header,
            3 => Doing::Receiving,
            4 => Doing::Answering,
            _ => Doing::Sending,
        }
    }

    fn enter(&self, doing: Doing) {
        self.since.store(self.now(), Ordering::Relaxed);
        self.doing.store(doing as u8, Ordering::Relaxed);
    }

    fn now(&self) -> u64 {
        // A u64 of microseconds is half a million years.
        self.epoch.elapsed().as_micros() as u64
    }
}
