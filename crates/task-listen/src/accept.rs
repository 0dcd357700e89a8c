//! The accept loop: connections in turn, and a back-off where the system has none to give.

use std::{fmt, future::poll_fn, io, mem, net::SocketAddr, pin::pin, task::Poll, time::Duration};

// A network in virtual time, for `tests/turmoil.rs` of `task-http`.
#[cfg(not(task_turmoil))]
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep_until};
#[cfg(task_turmoil)]
use turmoil::net::TcpListener;

use crate::listener::{BoundAddress, BoundSocket, Listener};

mod stream;

pub use stream::Stream;

/// The waits after an error that is not about one connection, such as too many open files. The wait
/// doubles with each error in a row.
const MIN_BACKOFF: Duration = Duration::from_millis(50);
const MAX_BACKOFF: Duration = Duration::from_secs(1);

/// How often such errors are logged, however many there are.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// How many connections [`Acceptor::close`] takes from the queue at most. The queue of a listener
/// that others share can be filled as fast as it is emptied.
#[cfg(not(task_turmoil))]
const MAX_QUEUE: usize = 4096;

/// The address of a client; `None` on a Unix socket.
pub type Peer = Option<SocketAddr>;

/// What the owner of an [`Acceptor`] hears of errors that are not about one connection: too many
/// open files, nearly always.
pub trait AcceptEvents {
    /// An accept failed. Returns whether a connection was closed, so that the next one may succeed
    /// soon.
    fn failed(&self, error: &io::Error) -> bool;

    /// An accept succeeded after some that failed, or found no client and did not fail.
    fn recovered(&self) {}
}

/// A listener that is registered with the runtime, for those who write a task that serves.
pub struct Acceptor {
    socket: Socket,
    address: BoundAddress,
    backoff: Duration,
    /// Not before this instant is the next accept tried.
    resume: Option<Instant>,
    logged: Option<Instant>,
}

enum Socket {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix {
        listener: tokio::net::UnixListener,
        file: Option<crate::listener::UnixSocketFile>,
    },
}

impl Acceptor {
    /// Registers a listener with the runtime of the calling task.
    ///
    /// # Errors
    ///
    /// If the runtime does not accept it.
    ///
    /// # Panics
    ///
    /// Outside of a Tokio runtime with an I/O driver.
    pub async fn attach(listener: Listener) -> io::Result<Self> {
        let socket = match listener.socket {
            #[cfg(not(task_turmoil))]
            BoundSocket::Tcp(listener) => Socket::Tcp(TcpListener::from_std(listener)?),
            #[cfg(task_turmoil)]
            BoundSocket::Tcp(listener) => {
                let address = (std::net::Ipv4Addr::UNSPECIFIED, listener.local_addr()?.port());
                Socket::Tcp(TcpListener::bind(address).await?)
            }
            #[cfg(unix)]
            BoundSocket::Unix(listener, file) => {
                Socket::Unix { listener: tokio::net::UnixListener::from_std(listener)?, file }
            }
        };
        let address = listener.address;
        Ok(Self { socket, address, backoff: MIN_BACKOFF, resume: None, logged: None })
    }

    /// Returns the address, with the real port where port 0 was asked for.
    pub fn address(&self) -> &BoundAddress {
        &self.address
    }

    /// Waits for the next connection.
    ///
    /// An error about one connection, which its client has closed, is skipped. After any other
    /// error this waits 50 ms, twice as long after each error in a row, up to 1 s, and tries again;
    /// a warning is logged once in 10 s.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe: a call that is dropped loses no connection.
    pub async fn accept(&mut self, events: &impl AcceptEvents) -> (Stream, Peer) {
        loop {
            if let Some(resume) = self.resume {
                sleep_until(resume).await;
                self.resume = None;
            }
            match self.accept_once(events).await {
                Ok(accepted) => return accepted,
                Err(error) if is_about_one_connection(&error) => {}
                Err(error) => {
                    let has_room = events.failed(&error);
                    self.back_off(&error, has_room);
                }
            }
        }
    }

    /// Waits for a connection or an error.
    async fn accept_once(&mut self, events: &impl AcceptEvents) -> io::Result<(Stream, Peer)> {
        let mut accepting = pin!(self.socket.accept());
        poll_fn(|cx| {
            let polled = accepting.as_mut().poll(cx);
            // Also where no client has come: to an owner that is not ready because of the errors
            // none may come any more, and so no accept would succeed.
            if !matches!(polled, Poll::Ready(Err(_)))
                && mem::replace(&mut self.backoff, MIN_BACKOFF) > MIN_BACKOFF
            {
                events.recovered();
            }
            polled
        })
        .await
    }

    /// Closes the listener, after it took the connections that wait in its queue: closing would
    /// reset them. They are given to `take`, one by one, until none is left or `take` returns
    /// `false`; at most 4,096.
    ///
    /// A connection that is completed between the last accept and the close is still reset.
    pub fn close(self, take: impl FnMut(Stream, Peer) -> bool) {
        self.socket.close(take);
    }

    /// Sets when the next accept is tried, and logs the error if it is time to.
    fn back_off(&mut self, error: &io::Error, has_room: bool) {
        let now = Instant::now();
        let wait = if has_room { MIN_BACKOFF } else { self.backoff };
        if self.logged.is_none_or(|logged| now >= logged + LOG_INTERVAL) {
            self.logged = Some(now);
            let address = &self.address;
            tracing::warn!(%error, %address, backoff = ?wait, "failed to accept a connection");
        }
        self.resume = Some(now + wait);
        self.backoff = (wait * 2).min(MAX_BACKOFF);
    }
}

impl fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acceptor").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Socket {
    async fn accept(&self) -> io::Result<(Stream, Peer)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, client) = listener.accept().await?;
                // A failure costs latency alone.
                let _ = stream.set_nodelay(true);
                Ok((Stream::Tcp(stream), Some(client)))
            }
            #[cfg(unix)]
            Self::Unix { listener, .. } => Ok((Stream::Unix(listener.accept().await?.0), None)),
        }
    }

    /// The simulated network does not show its queue.
    #[cfg(task_turmoil)]
    fn close(self, _take: impl FnMut(Stream, Peer) -> bool) {}

    /// Tokio's listener may not know yet of a connection that is there, so the queue is taken from
    /// the one below.
    #[cfg(not(task_turmoil))]
    fn close(self, mut take: impl FnMut(Stream, Peer) -> bool) {
        match self {
            Self::Tcp(listener) => {
                let Ok(listener) = listener.into_std() else { return };
                take_all(|| {
                    let (stream, client) = listener.accept()?;
                    stream.set_nonblocking(true)?;
                    let _ = stream.set_nodelay(true);
                    let stream = Stream::Tcp(tokio::net::TcpStream::from_std(stream)?);
                    Ok(take(stream, Some(client)))
                });
            }
            #[cfg(unix)]
            Self::Unix { listener, file } => {
                let Ok(listener) = listener.into_std() else { return };
                // First, so that a successor can bind the path, and new clients find nobody.
                drop(file);
                take_all(|| {
                    let (stream, _) = listener.accept()?;
                    stream.set_nonblocking(true)?;
                    let stream = Stream::Unix(tokio::net::UnixStream::from_std(stream)?);
                    Ok(take(stream, None))
                });
            }
        }
    }
}

/// Calls `accept` until it fails or returns `false`. Errors about one connection are skipped.
#[cfg(not(task_turmoil))]
fn take_all(mut accept: impl FnMut() -> io::Result<bool>) {
    for _ in 0..MAX_QUEUE {
        match accept() {
            Ok(true) => {}
            Err(error) if is_about_one_connection(&error) => {}
            Ok(false) | Err(_) => return,
        }
    }
}

/// Returns whether an error of `accept` is about the connection that was to be accepted, and not
/// about the listener or the process.
fn is_about_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}
