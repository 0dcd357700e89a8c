//! The limits of the server, and their defaults.

use std::time::Duration;

use task_core::Timeout;
use tokio::time::Instant;

/// The limits of a [`ServeTask`](crate::ServeTask).
///
/// Every time and every count has a finite default. The times take a [`Duration`], or
/// [`Timeout::Never`] where there is to be no limit. A duration of more than a year counts as a
/// year.
///
/// | a connection | limit | then |
/// |---|---|---|
/// | has no complete header, or is in its TLS handshake | [`header_timeout`](Self::header_timeout) | it is closed |
/// | is between two requests | [`idle_timeout`](Self::idle_timeout) | it is closed |
/// | sends nothing of a body that a handler waits for | [`body_timeout`](Self::body_timeout) | the handler gets an error |
/// | takes nothing of a response | [`write_timeout`](Self::write_timeout) | it is closed |
/// | is older than | [`connection_age`](Self::connection_age) | it is closed with its next response |
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use task_core::Timeout;
/// use task_serve::{Limits, ServeTask};
///
/// # fn main() -> Result<(), task_serve::ServeError> {
/// let limits = Limits::default().connections(500).connection_age(Timeout::Never);
/// let serve = ServeTask::bind("127.0.0.1:0")?.limits(limits);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[must_use = "limits take effect with `ServeTask::limits`"]
pub struct Limits {
    pub(crate) connections: usize,
    pub(crate) streams: u32,
    pub(crate) header_timeout: Duration,
    pub(crate) header_bytes: usize,
    pub(crate) headers: usize,
    pub(crate) idle_timeout: Duration,
    pub(crate) body_timeout: Duration,
    pub(crate) write_timeout: Duration,
    pub(crate) connection_age: Duration,
    pub(crate) min_keep_alive: Duration,
    pub(crate) stop_timeout: Duration,
    pub(crate) requests: usize,
    pub(crate) queue: usize,
    pub(crate) queue_timeout: Duration,
    #[cfg(feature = "tls")]
    pub(crate) reload_interval: Duration,
}

/// What an `Instant` can be moved by on every system, and longer than any process lives.
const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// hyper reserves room for so many with each request. A map of headers has room for 24,576.
const MAX_HEADERS: usize = 10_000;

/// Returns a time limit as a duration.
fn duration(timeout: impl Into<Timeout>) -> Duration {
    match timeout.into() {
        Timeout::After(duration) => duration.min(YEAR),
        Timeout::Never => YEAR,
    }
}

impl Limits {
    /// Sets how many connections may be open, over all listeners; at least 1. Default: 10,000.
    ///
    /// When one more arrives, the connection without a request that has waited longest is closed;
    /// one whose first request has not come counts after a second. If there is none, the new one
    /// waits, and further ones wait in the queue of the listener.
    pub fn connections(self, connections: usize) -> Self {
        Self { connections: connections.max(1), ..self }
    }

    /// Sets how many requests an HTTP/2 connection may have in flight; at least 1. Default: 200.
    pub fn streams(self, streams: u32) -> Self {
        Self { streams: streams.max(1), ..self }
    }

    /// Sets how long a client may take for the TLS handshake and the header of its first request,
    /// from the connect, and for the header of a later one, from its first byte. Default: 10 s.
    pub fn header_timeout(self, timeout: impl Into<Timeout>) -> Self {
        Self { header_timeout: duration(timeout), ..self }
    }

    /// Sets how many requests may be with their handlers at the same time, over all connections;
    /// at least 1. Default: 10,000.
    ///
    /// A request is with its handler from its complete header until the head of the answer is
    /// there; a body that is streamed after it does not count. One more request waits in the
    /// [queue](Self::queue).
    pub fn requests(self, requests: usize) -> Self {
        Self { requests: requests.max(1), ..self }
    }

    /// Sets how many requests may wait for others to leave their [handlers](Self::requests). One
    /// more is refused with 503 and `Retry-After`. Default: 1,000.
    pub fn queue(self, queue: usize) -> Self {
        Self { queue, ..self }
    }

    /// Sets how long a request waits in the [queue](Self::queue) before it is refused with 503 and
    /// `Retry-After`. Default: 1 s.
    pub fn queue_timeout(self, timeout: impl Into<Timeout>) -> Self {
        Self { queue_timeout: duration(timeout), ..self }
    }

    /// Sets how often the files of TLS are read again; at least every 10 ms. Default: 10 s.
    #[cfg(feature = "tls")]
    pub fn reload_interval(self, interval: Duration) -> Self {
        Self { reload_interval: interval.max(Duration::from_millis(10)), ..self }
    }

    /// Sets how many bytes the header of a request may have; at least 8 KiB. A larger one is
    /// refused with 431. Default: 64 KiB over HTTP/1.1, and 16 KiB over HTTP/2 or this, if it is
    /// less.
    pub fn header_bytes(self, bytes: usize) -> Self {
        Self { header_bytes: bytes.max(8 * 1024), ..self }
    }

    /// Sets how many fields the header of an HTTP/1.1 request may have; at most 10,000. One with
    /// more is refused with 431. Default: 100.
    pub fn headers(self, headers: usize) -> Self {
        Self { headers: headers.min(MAX_HEADERS), ..self }
    }

    /// Sets how long a connection may wait for its next request. Default: 90 s.
    pub fn idle_timeout(self, timeout: impl Into<Timeout>) -> Self {
        Self { idle_timeout: duration(timeout), ..self }
    }

    /// Sets how long a handler waits for the next bytes of a request's body, before it gets an
    /// [error](crate::BodyError) in their place. Default: 30 s.
    pub fn body_timeout(self, timeout: impl Into<Timeout>) -> Self {
        Self { body_timeout: duration(timeout), ..self }
    }

    /// Sets how long a client may take none of the bytes of a response that wait for it, before
    /// its connection is closed. Default: 30 s.
    pub fn write_timeout(self, timeout: impl Into<Timeout>) -> Self {
        Self { write_timeout: duration(timeout), ..self }
    }

    /// Sets how old a connection may become, give or take 10 % at random, before it is closed with
    /// its next response (HTTP/1.1), or sent a GOAWAY (HTTP/2), so that a load balancer
    /// can spread its connections again. No request is lost by it. Default: 15 min.
    pub fn connection_age(self, age: impl Into<Timeout>) -> Self {
        Self { connection_age: duration(age), ..self }
    }

    /// Sets how long a connection stays open after its last response, or after it was accepted,
    /// although the server stops: a client that was just answered may have written its next request
    /// already. Default: 500 ms.
    pub fn min_keep_alive(self, time: Duration) -> Self {
        Self { min_keep_alive: time.min(YEAR), ..self }
    }

    /// Sets how long requests in flight may take to end once the task is cancelled. What the
    /// shutdown leaves to the task, less 250 ms, counts if it is less. Default: 60 s.
    pub fn stop_timeout(self, timeout: impl Into<Timeout>) -> Self {
        Self { stop_timeout: duration(timeout), ..self }
    }

    /// Returns how often the streams of HTTP/2 are looked through: often enough that none of the
    /// two times passes by much, and not all the time where they are short.
    pub(crate) fn scan_interval(&self) -> Duration {
        (self.write_timeout / 2).min(self.idle_timeout).max(Duration::from_millis(10))
    }

    /// Returns the age at which one connection is closed: the limit, give or take 10 %.
    pub(crate) fn some_connection_age(&self) -> Duration {
        self.connection_age.mul_f64(0.9 + fastrand::f64() / 5.0)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            streams: 200,
            header_timeout: Duration::from_secs(10),
            header_bytes: 64 * 1024,
            headers: 100,
            idle_timeout: Duration::from_secs(90),
            body_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            connection_age: Duration::from_secs(15 * 60),
            min_keep_alive: Duration::from_millis(500),
            stop_timeout: Duration::from_secs(60),
            requests: 10_000,
            queue: 1_000,
            queue_timeout: Duration::from_secs(1),
            #[cfg(feature = "tls")]
            reload_interval: Duration::from_secs(10),
        }
    }
}

/// Returns `start + timeout`, or two years after `start` if that is earlier.
pub(crate) fn after(start: Instant, timeout: Duration) -> Instant {
    start + timeout.min(2 * YEAR)
}
