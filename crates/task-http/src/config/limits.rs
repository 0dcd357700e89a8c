//! Every limit of the server, with its default.

use std::time::Duration;

use tokio::time::Instant;

/// The limits of an [`HttpTask`](crate::HttpTask). All are finite; each can be changed.
///
/// ```
/// # use std::time::Duration;
/// # use task_http::Limits;
/// let limits = Limits::default().connections(64).scrape_time(Duration::from_secs(5));
/// ```
#[derive(Clone, Debug)]
#[must_use = "hand it to `HttpTask::limits`"]
pub struct Limits {
    pub(crate) connections: usize,
    pub(crate) header_time: Duration,
    pub(crate) header_bytes: usize,
    pub(crate) headers: usize,
    pub(crate) body_bytes: usize,
    pub(crate) idle_time: Duration,
    pub(crate) response_time: Duration,
    pub(crate) connection_age: Duration,
    pub(crate) scrapes: usize,
    pub(crate) scrape_time: Duration,
    pub(crate) check_time: Duration,
    pub(crate) check_age: Duration,
    pub(crate) stall_time: Duration,
    pub(crate) reload_interval: Duration,
    pub(crate) stop_time: Duration,
}

impl Limits {
    /// How many connections may be open, over all listeners; at least 1. When one more comes, the connection that has
    /// gone longest without a request makes room for it, or else one whose client has not read its answer within a
    /// second, or has not sent the body that a [route](crate::HttpTask::route) waits for, so that slow or idle clients
    /// cannot keep probes out. Only when every connection is being answered does the next one wait. One more per
    /// listener may be open for the moment that this takes. Default: 256.
    pub fn connections(self, connections: usize) -> Self {
        Self { connections: connections.max(1), ..self }
    }

    /// How long a client may take to send the header of a request, from the connect or from its first byte. Bytes that
    /// came before the last answer was sent do not count: a header that began with them has the
    /// [idle time](Self::idle_time) until the next byte. Default: 5 s.
    pub fn header_time(self, time: Duration) -> Self {
        Self { header_time: time, ..self }
    }

    /// How many bytes the header of a request may have before it is refused with 431; at least 8 KiB.
    /// Default: 16 KiB.
    pub fn header_bytes(self, bytes: usize) -> Self {
        Self { header_bytes: bytes.max(8 * 1024), ..self }
    }

    /// How many fields the header of a request may have before it is refused with 431. Default: 100.
    pub fn headers(self, headers: usize) -> Self {
        Self { headers, ..self }
    }

    /// How many bytes the body of a request to a [route](crate::HttpTask::route) may have before it is refused with
    /// 413. Bodies of other requests are not read. Default: 64 KiB.
    pub fn body_bytes(self, bytes: usize) -> Self {
        Self { body_bytes: bytes, ..self }
    }

    /// How long a connection may wait for its next request. Default: 90 s.
    pub fn idle_time(self, time: Duration) -> Self {
        Self { idle_time: time, ..self }
    }

    /// How long a request may take from its complete header to the last byte that the client has taken of the answer;
    /// then the connection is dropped. Default: 30 s.
    pub fn response_time(self, time: Duration) -> Self {
        Self { response_time: time, ..self }
    }

    /// How old a connection may get before it is closed after the answer in progress. Default: 15 min.
    pub fn connection_age(self, age: Duration) -> Self {
        Self { connection_age: age, ..self }
    }

    /// How many requests for `/metrics`, `/tasks` and routes of your own may be waiting for their answer at once; one
    /// more gets 503. Never more than half of the [connections](Self::connections), if there are two: the others are
    /// for probes, which do not count. Nor does a request to a [route](crate::HttpTask::route) before its body is there;
    /// a service, which may read the body itself, counts from the header on. Requests for metrics that come at the same time share one encoding. Default: 128.
    pub fn scrapes(self, scrapes: usize) -> Self {
        Self { scrapes, ..self }
    }

    /// How long the sources may take before a scrape is answered with 503. A client that sends
    /// `X-Prometheus-Scrape-Timeout-Seconds` can make it shorter. Default: 10 s.
    pub fn scrape_time(self, time: Duration) -> Self {
        Self { scrape_time: time, ..self }
    }

    /// How long a check may take before it counts as failed. Default: 1 s.
    pub fn check_time(self, time: Duration) -> Self {
        Self { check_time: time, ..self }
    }

    /// For how long the result of a check is used again, so that probes cannot be used to hammer what is behind it.
    /// Default: 1 s.
    pub fn check_age(self, age: Duration) -> Self {
        Self { check_age: age, ..self }
    }

    /// How long a runtime may take to run a task that was just spawned, before `/livez` fails and an error is logged.
    /// It is measured from outside, every second or four times in this time; 10 ms at least. Default: 10 s.
    pub fn stall_time(self, time: Duration) -> Self {
        Self { stall_time: time.max(Duration::from_millis(10)), ..self }
    }

    /// How often the files of certificates and credentials are read again; 10 ms at least. Default: 10 s.
    pub fn reload_interval(self, interval: Duration) -> Self {
        Self { reload_interval: interval, ..self }
    }

    /// How long answers in progress may take to end once the task is cancelled, if the shutdown leaves that much:
    /// then the rest is dropped. Default: 5 s.
    pub fn stop_time(self, time: Duration) -> Self {
        Self { stop_time: time, ..self }
    }

    /// As many of the [`scrapes`](Self::scrapes) as leave connections to probes.
    pub(crate) fn scrapes_at_once(&self) -> usize {
        self.scrapes.min((self.connections / 2).max(1))
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 256,
            header_time: Duration::from_secs(5),
            header_bytes: 16 * 1024,
            headers: 100,
            body_bytes: 64 * 1024,
            idle_time: Duration::from_secs(90),
            response_time: Duration::from_secs(30),
            connection_age: Duration::from_secs(15 * 60),
            scrapes: 128,
            scrape_time: Duration::from_secs(10),
            check_time: Duration::from_secs(1),
            check_age: Duration::from_secs(1),
            stall_time: Duration::from_secs(10),
            reload_interval: Duration::from_secs(10),
            stop_time: Duration::from_secs(5),
        }
    }
}

/// `start + time`, a year later at most: the clock cannot tell every duration.
pub(crate) fn after(start: Instant, time: Duration) -> Instant {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    start + time.min(365 * DAY)
}
