//! A probe of a server on this machine, by its own binary: for images without curl.
//!
//! Docker and compose check the health of a container by a command that runs in it. A service that
//! calls [`from_args`] first in its `main` is that command itself:
//!
//! ```no_run
//! use std::process::ExitCode;
//!
//! const ADDRESS: &str = "0.0.0.0:9090";
//!
//! fn main() -> ExitCode {
//!     if let Some(code) = task_http::probe::from_args(ADDRESS) {
//!         return code; // `service probe` or `service probe /livez`
//!     }
//!     // ... the service, with `HttpTask::bind(ADDRESS)`
//!     ExitCode::SUCCESS
//! }
//! ```
//!
//! ```dockerfile
//! HEALTHCHECK --interval=5s --timeout=6s CMD ["/service", "probe"]
//! ```
//!
//! A service that parses its arguments itself calls [`run`], and other code [`check`].
//!
//! # The address
//!
//! It is that of the server, as it is bound: `0.0.0.0` and `[::]` stand for loopback, `:9090` is
//! `[::]:9090`, and `unix:/run/orders.sock` is a Unix socket. So settings that the service has
//! serve the probe, too.
//!
//! # Limits
//!
//! - It speaks HTTP in clear text. Beside TLS, give the server a
//!   [Unix socket](crate::ListenOptions::bind_unix), where there is none, or a listener on loopback
//!   [for the probes](crate::HttpListener::only) of another `HttpTask`.
//! - The probes need no credentials, and a probe sends none. A server that admits some
//!   [networks](crate::Access::network) alone still answers its probes.
//! - Of a response, 4 KiB of the body are kept, which is what Docker keeps.

use std::{
    env, fmt,
    io::{self, Read, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs},
    process::ExitCode,
    sync::mpsc,
    time::{Duration, Instant},
};

use task_core::scope::run_aside;

/// How long a probe by [`run`] and [`from_args`] may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The path that is asked for if none is given.
const PATH: &str = "/readyz";

/// The longest header of a response, and the longest part of a body that is kept.
const HEADER_BYTES: usize = 16 * 1024;
const BODY_BYTES: usize = 4 * 1024;

/// Probes the server at `address` if the first argument of this process is `probe`, and returns the
/// exit code for `main`. The second argument is the path, `/readyz` by default.
///
/// Returns `None` if the first argument is another one. All else is as for [`run`]; a third
/// argument is a failure.
pub fn from_args(address: impl fmt::Display) -> Option<ExitCode> {
    let mut arguments = env::args_os().skip(1);
    if arguments.next()? != "probe" {
        return None;
    }
    let path =
        arguments.next().map_or_else(|| PATH.into(), |path| path.to_string_lossy().into_owned());
    if arguments.next().is_some() {
        let _ = writeln!(io::stderr(), "error: `probe` takes a path and nothing else");
        return Some(ExitCode::FAILURE);
    }
    Some(run(address, &path))
}

/// Probes the server at `address`, and returns the exit code for `main`: 0 if it passes, and 1 if
/// it fails, for whatever reason.
///
/// On a failure the error and the body of the response are written to standard error. It blocks for
/// at most 5 s, of which Docker's own timeout should leave a little: a command that it has killed
/// says nothing.
pub fn run(address: impl fmt::Display, path: &str) -> ExitCode {
    let Err(error) = check(address, path, TIMEOUT) else { return ExitCode::SUCCESS };
    let body = error.body().trim_end();
    let separator = if body.is_empty() { "" } else { "\n" };
    // If standard error is closed, the exit code has to do.
    let _ = writeln!(io::stderr(), "probe failed: {error}{}{separator}{body}", Causes(&error));
    ExitCode::FAILURE
}

/// Asks the server at `address` for `path`, and waits for the response.
///
/// It blocks for at most `timeout`, whatever the server and the resolution of a name do, and needs
/// no runtime. A status from 200 to 399 passes, as for the kubelet.
///
/// # Errors
///
/// If the path or the address is malformed, nothing listens there, no response comes in time, it is
/// not HTTP, or its status is another one.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use task_http::probe;
///
/// let unused = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?; // and closed
/// let error = probe::check(unused, "/readyz", Duration::from_secs(1)).unwrap_err();
/// assert_eq!(error.to_string(), format!("failed to connect to {unused}"));
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn check(address: impl fmt::Display, path: &str, timeout: Duration) -> Result<(), ProbeError> {
    let (address, path) = (address.to_string(), path.to_owned());
    let is_plain = path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic());
    if !is_plain {
        return Err(Kind::Path(path).into());
    }
    let late = || Kind::Late { address: address.clone(), timeout }.into();
    // A year stands for ever.
    let deadline = Instant::now() + timeout.min(Duration::from_secs(365 * 24 * 3600));
    let (done, is_done) = mpsc::channel();
    let asked = address.clone();
    // On a thread, since neither a resolution nor a connect to a Unix socket has a timeout.
    let job = run_aside(move || {
        // Nobody waits any more if it took too long.
        let _ = done.send(ask(&asked, &path, deadline));
    });
    if job.is_err() {
        return Err(Kind::Thread.into());
    }
    let left = deadline.saturating_duration_since(Instant::now());
    match is_done.recv_timeout(left) {
        Ok(Err(Kind::Connect { source, .. } | Kind::Response { source, .. }))
            if is_timeout(&source) && Instant::now() >= deadline =>
        {
            Err(late())
        }
        Ok(result) => result.map_err(ProbeError::from),
        Err(_) => Err(late()),
    }
}

/// Sends the request and judges the response. Every wait ends at the deadline, or soon after it, so
/// that the thread does not stay.
fn ask(address: &str, path: &str, deadline: Instant) -> Result<(), Kind> {
    let mut stream = connect(address, deadline)
        .map_err(|source| Kind::Connect { address: address.to_owned(), source })?;
    let failed = |source| Kind::Response { address: address.to_owned(), source };
    // HTTP/1.0, so that the body is not in chunks and ends with the connection.
    let host = if address.starts_with("unix:") { "localhost" } else { address };
    let request = format!("GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n");
    stream.limit(deadline).map_err(failed)?;
    stream.write_all(request.as_bytes()).map_err(failed)?;

    let not_http = || Kind::NotHttp(address.to_owned());
    let mut response = Vec::new();
    let body = loop {
        if let Some(end) = response.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        if response.len() >= HEADER_BYTES
            || !read_some(&mut stream, &mut response, deadline).map_err(failed)?
        {
            return Err(not_http());
        }
    };
    let status = status(&response[..body]).ok_or_else(not_http)?;
    if (200..400).contains(&status) {
        return Ok(());
    }
    // The status is known, so whatever becomes of the body does not matter; half of the time for
    // it, so that the result is there before the deadline.
    let half = deadline.saturating_duration_since(Instant::now()) / 2;
    let body_deadline = Instant::now() + half;
    while response.len() < body + BODY_BYTES
        && read_some(&mut stream, &mut response, body_deadline).unwrap_or(false)
    {}
    let end = response.len().min(body + BODY_BYTES);
    let body = String::from_utf8_lossy(&response[body..end]);
    // Control characters could forge lines of a log.
    let is_kept = |character: char| !character.is_control() || character == '\n';
    let body = body.chars().map(|it| if is_kept(it) { it } else { ' ' }).collect();
    Err(Kind::Status { address: address.to_owned(), path: path.to_owned(), status, body })
}

/// Reads some bytes. Returns whether there may be more.
fn read_some(stream: &mut Stream, into: &mut Vec<u8>, deadline: Instant) -> io::Result<bool> {
    let mut buffer = [0; 1024];
    loop {
        stream.limit(deadline)?;
        match stream.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => {
                let length = read?;
                into.extend_from_slice(&buffer[..length]);
                return Ok(length > 0);
            }
        }
    }
}

/// Returns the status in the header of a response.
fn status(header: &[u8]) -> Option<u16> {
    let line = header.split(|byte| *byte == b'\r').next()?;
    let rest = str::from_utf8(line).ok()?.strip_prefix("HTTP/1.")?;
    rest.split(' ').nth(1).filter(|status| status.len() == 3)?.parse().ok()
}

/// A connection whose waits can be limited.
enum Stream {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(std::os::unix::net::UnixStream),
}

impl Stream {
    /// Limits the next read and write to the time until the deadline.
    fn limit(&self, deadline: Instant) -> io::Result<()> {
        let left = Some(until(deadline)?);
        match self {
            Self::Tcp(stream) => {
                stream.set_read_timeout(left)?;
                stream.set_write_timeout(left)
            }
            #[cfg(unix)]
            Self::Unix(stream) => {
                stream.set_read_timeout(left)?;
                stream.set_write_timeout(left)
            }
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            #[cfg(unix)]
            Self::Unix(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(buffer),
            #[cfg(unix)]
            Self::Unix(stream) => stream.write(buffer),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Connects to the first address that accepts.
fn connect(address: &str, deadline: Instant) -> io::Result<Stream> {
    #[cfg(unix)]
    if let Some(path) = address.strip_prefix("unix:") {
        return Ok(Stream::Unix(std::os::unix::net::UnixStream::connect(path)?));
    }
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for address in resolved(address)? {
        match TcpStream::connect_timeout(&address, until(deadline)?) {
            Ok(stream) => return Ok(Stream::Tcp(stream)),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Returns the addresses to connect to: loopback where the server listens on every address.
fn resolved(address: &str) -> io::Result<Vec<SocketAddr>> {
    let any = format!("[::]{address}");
    let address = if address.starts_with(':') { &any } else { address };
    let mut resolved = Vec::new();
    for address in address.to_socket_addrs()? {
        let loopbacks: &[IpAddr] = match address.ip() {
            ip if !ip.is_unspecified() => &[ip],
            IpAddr::V4(_) => &[IpAddr::V4(Ipv4Addr::LOCALHOST)],
            // The server may have fallen back to IPv4, where there is nothing else.
            IpAddr::V6(_) => &[IpAddr::V6(Ipv6Addr::LOCALHOST), IpAddr::V4(Ipv4Addr::LOCALHOST)],
        };
        resolved.extend(loopbacks.iter().map(|ip| SocketAddr::new(*ip, address.port())));
    }
    Ok(resolved)
}

/// Returns the time until the deadline, which is at least a moment: zero would mean no limit.
fn until(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        Err(io::ErrorKind::TimedOut.into())
    } else {
        Ok(left.max(Duration::from_millis(1)))
    }
}

/// Returns whether a wait has ended at its limit, which has two names.
fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock)
}

/// The error of [`check`]: why a probe failed.
///
/// The kind is private. The message names the address; the source, if there is one, is the error of
/// the system.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct ProbeError(#[from] Kind);

impl ProbeError {
    /// Returns the status of the response; `None` if there was none.
    pub fn status(&self) -> Option<u16> {
        match self.0 {
            Kind::Status { status, .. } => Some(status),
            _ => None,
        }
    }

    /// Returns the first 4 KiB of the body of the response, with control characters as blanks.
    /// Empty if there was none.
    pub fn body(&self) -> &str {
        match &self.0 {
            Kind::Status { body, .. } => body,
            _ => "",
        }
    }

    /// Returns whether no response came within the timeout.
    pub fn is_timeout(&self) -> bool {
        matches!(self.0, Kind::Late { .. })
    }
}

/// The kinds of a [`ProbeError`], each with its message.
#[derive(Debug, thiserror::Error)]
enum Kind {
    #[error("{0:?} is not a path that begins with `/`")]
    Path(String),
    #[error("failed to connect to {address}")]
    Connect { address: String, source: io::Error },
    #[error("failed to get a response from {address}")]
    Response { address: String, source: io::Error },
    #[error("no response from {address} within {timeout:?}")]
    Late { address: String, timeout: Duration },
    #[error("the response from {0} is not HTTP")]
    NotHttp(String),
    #[error("{path} at {address} returned {status}")]
    Status { address: String, path: String, status: u16, body: String },
    #[error("the system provides no thread for the probe")]
    Thread,
}

/// Displays the causes of an error, each after a colon.
struct Causes<'a>(&'a ProbeError);

impl fmt::Display for Causes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut cause = std::error::Error::source(self.0);
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}
