//! The limits of the server, and their defaults.

use std::time::Duration;

use tokio::time::Instant;

/// hyper reserves room for so many with each request. A map of headers has room for 24,576.
const MAX_HEADERS: usize = 10_000;

/// The limits of an [`HttpTask`](crate::HttpTask).
///
/// Every resource that a client, a source or a check can take has a limit, and every limit is
/// finite. The setters take any value: what is below the minimum of a limit is raised to it, and
/// what is above its maximum is lowered. A duration of more than a year counts as a year.
///
/// # Connections and what they wait for
///
/// | state of a connection | limit | then |
/// |---|---|---|
/// | no complete header yet | [`header_timeout`](Self::header_timeout) | closed |
/// | between two requests | [`idle_timeout`](Self::idle_timeout) | closed |
/// | from a complete header to the end of the response | [`response_timeout`](Self::response_timeout) | closed |
/// | older than [`connection_age`](Self::connection_age) | | closed after the response |
/// | the task was cancelled | [`stop_timeout`](Self::stop_timeout) | closed |
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use task_http::{HttpTask, Limits};
///
/// # fn main() -> Result<(), task_http::HttpError> {
/// let limits = Limits::default().connections(64).scrape_timeout(Duration::from_secs(5));
/// let http = HttpTask::builder().limits(limits).bind("127.0.0.1:0")?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[must_use = "limits take effect with `HttpTaskBuilder::limits`"]
pub struct Limits {
    pub(crate) connections: usize,
    pub(crate) header_timeout: Duration,
    pub(crate) header_bytes: usize,
    pub(crate) headers: usize,
    pub(crate) body_bytes: usize,
    pub(crate) idle_timeout: Duration,
    pub(crate) response_timeout: Duration,
    pub(crate) connection_age: Duration,
    pub(crate) scrapes: usize,
    pub(crate) scrape_timeout: Duration,
    pub(crate) check_timeout: Duration,
    pub(crate) check_age: Duration,
    pub(crate) stall_timeout: Duration,
    pub(crate) reload_interval: Duration,
    pub(crate) stop_timeout: Duration,
}

impl Limits {
    /// Sets how many connections may be open, over all listeners; at least 1. Default: 256.
    ///
    /// When one more arrives, a connection is evicted, so that slow or idle clients cannot keep
    /// probes out:
    ///
    /// 1. of those without a complete request, the one that has waited longest;
    /// 2. else one whose client has, for a second, read nothing of its response, or sent nothing of
    ///    the body that a [route](crate::HttpTaskBuilder::route) waits for;
    /// 3. else one whose client reads or sends, but has taken more than a second so far.
    ///
    /// A client counts as reading when the system, or with TLS the session, takes more of the
    /// response from the server. The buffers of the system can hold megabytes and are refilled in
    /// large steps, so a client that reads slowly may count as one that does not read. The body
    /// that a service streams is a response in progress until its last piece.
    ///
    /// If every connection has a response in progress, the new one waits. One more connection per
    /// listener may be open for the moment of the eviction.
    pub fn connections(self, connections: usize) -> Self {
        Self { connections: connections.max(1), ..self }
    }

    /// Sets how long a client may take to send the header of a request, from the connect or from
    /// the first byte. Default: 5 s.
    ///
    /// Bytes that arrived before the last response was sent do not count: a header that began with
    /// them has the [idle timeout](Self::idle_timeout) until the next byte.
    pub fn header_timeout(self, timeout: Duration) -> Self {
        Self { header_timeout: timeout, ..self }
    }

    /// Sets how many bytes the header of a request may have; at least 8 KiB. A larger one is
    /// refused with 431. Default: 16 KiB.
    pub fn header_bytes(self, bytes: usize) -> Self {
        Self { header_bytes: bytes.max(8 * 1024), ..self }
    }

    /// Sets how many fields the header of a request may have; at most 10,000. One with more is
    /// refused with 431. Default: 100.
    pub fn headers(self, headers: usize) -> Self {
        Self { headers: headers.min(MAX_HEADERS), ..self }
    }

    /// Sets how many bytes the body of a request to a [route](crate::HttpTaskBuilder::route) may
    /// have. A larger one is refused with 413. Bodies of other requests are not read. Default:
    /// 64 KiB.
    pub fn body_bytes(self, bytes: usize) -> Self {
        Self { body_bytes: bytes, ..self }
    }

    /// Sets how long a connection may wait for its next request. Default: 90 s.
    pub fn idle_timeout(self, timeout: Duration) -> Self {
        Self { idle_timeout: timeout, ..self }
    }

    /// Sets how long a request may take from its complete header to the last byte that the client
    /// accepts of the response. Then the connection is closed. Default: 30 s.
    pub fn response_timeout(self, timeout: Duration) -> Self {
        Self { response_timeout: timeout, ..self }
    }

    /// Sets how old a connection may become before it is closed after the response in progress, so
    /// that a load balancer can spread its connections again. Default: 15 min.
    pub fn connection_age(self, age: Duration) -> Self {
        Self { connection_age: age, ..self }
    }

    /// Sets how many requests for `/metrics`, `/tasks` and user routes may wait for their responses
    /// at once. One more gets 503. Default: 128.
    ///
    /// It is never more than half of the [connections](Self::connections), if there are two: the
    /// other half is left to probes, which do not count. A request to a
    /// [route](crate::HttpTaskBuilder::route) counts once its body has arrived; a service, which
    /// may read the body itself, counts from the header on, and to the end of the body that it
    /// streams. The time that a client then takes to read the response does not count. Requests for
    /// metrics that arrive at the same time share one encoding.
    pub fn scrapes(self, scrapes: usize) -> Self {
        Self { scrapes, ..self }
    }

    /// Sets how long the sources may take before a scrape gets 503. A client can
    /// shorten it for its request by `X-Prometheus-Scrape-Timeout-Seconds`. Default: 10 s.
    pub fn scrape_timeout(self, timeout: Duration) -> Self {
        Self { scrape_timeout: timeout, ..self }
    }

    /// Sets how long a check may take before it counts as failed. Default: 750 ms.
    ///
    /// It should be shorter than the timeout of the client, which is 1 s by default in Kubernetes.
    /// Otherwise the name of a check that hangs never arrives.
    pub fn check_timeout(self, timeout: Duration) -> Self {
        Self { check_timeout: timeout, ..self }
    }

    /// Sets how long the result of a check is used again, so that many probes do not become many
    /// requests to a dependency. Default: 1 s.
    pub fn check_age(self, age: Duration) -> Self {
        Self { check_age: age, ..self }
    }

    /// Sets how long a runtime may take to run a task that was just spawned, before `/livez` fails
    /// and an error is logged; at least 10 ms. Default: 10 s.
    ///
    /// It is measured by a plain thread, four times in this duration, or every second if that is
    /// more often.
    pub fn stall_timeout(self, timeout: Duration) -> Self {
        Self { stall_timeout: timeout.max(Duration::from_millis(10)), ..self }
    }

    /// Sets how often the files of certificates and credentials are read again; at least every
    /// 10 ms. Default: 10 s.
    pub fn reload_interval(self, interval: Duration) -> Self {
        Self { reload_interval: interval.max(Duration::from_millis(10)), ..self }
    }

    /// Sets how long responses in progress may take to end once the task is cancelled. What the
    /// shutdown leaves to the task counts if it is less. Then they are dropped. Default: 5 s.
    pub fn stop_timeout(self, timeout: Duration) -> Self {
        Self { stop_timeout: timeout, ..self }
    }

    /// Returns the limit of [`scrapes`](Self::scrapes) that leaves connections to probes.
    pub(crate) fn scrapes_at_once(&self) -> usize {
        self.scrapes.min((self.connections / 2).max(1))
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 256,
            header_timeout: Duration::from_secs(5),
            header_bytes: 16 * 1024,
            headers: 100,
            body_bytes: 64 * 1024,
            idle_timeout: Duration::from_secs(90),
            response_timeout: Duration::from_secs(30),
            connection_age: Duration::from_secs(15 * 60),
            scrapes: 128,
            scrape_timeout: Duration::from_secs(10),
            check_timeout: Duration::from_millis(750),
            check_age: Duration::from_secs(1),
            stall_timeout: Duration::from_secs(10),
            reload_interval: Duration::from_secs(10),
            stop_timeout: Duration::from_secs(5),
        }
    }
}

/// Returns `start + timeout`, or a year after `start` if that is earlier: an `Instant` cannot
/// represent the sum with every duration.
pub(crate) fn after(start: Instant, timeout: Duration) -> Instant {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    start + timeout.min(365 * DAY)
}
