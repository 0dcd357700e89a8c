//! The accept loop of one listener, and the end of its connections.

use std::{
    io,
    net::IpAddr,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use anyhow::Context as _;
use task_core::Context;
#[cfg(not(task_turmoil))]
use tokio::net::{TcpListener, TcpStream};
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

// A network in virtual time, for `tests/turmoil.rs`.
#[cfg(task_turmoil)]
use turmoil::net::{TcpListener, TcpStream};

use super::{
    Origin, Server,
    connection::serve,
    connections::{Connections, Slot},
    cut::Cut,
};
use crate::{
    config::{
        Limits, Served,
        listener::{BoundSocket, Listener},
    },
    in_task::in_task,
};

/// The waits after an error that is not about one connection, such as too many open files. The wait
/// doubles with each error in a row.
const MIN_ACCEPT_BACKOFF: Duration = Duration::from_millis(50);
const MAX_ACCEPT_BACKOFF: Duration = Duration::from_secs(1);

/// How long to wait for the end of connections that were aborted.
const ABORT_TIMEOUT: Duration = Duration::from_millis(100);

/// A listener that is registered with the runtime.
pub(super) enum AsyncListener {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix {
        listener: tokio::net::UnixListener,
        _file: Option<crate::config::listener::UnixSocketFile>,
    },
}

/// A connection that was just accepted.
enum Accepted {
    Tcp(TcpStream, IpAddr),
    #[cfg(unix)]
    Unix(tokio::net::UnixStream),
}

impl AsyncListener {
    /// Registers listeners with the runtime of the calling task.
    pub(super) async fn attach_all(
        listeners: Vec<Listener>,
    ) -> anyhow::Result<Vec<(Self, Served)>> {
        let mut attached = Vec::with_capacity(listeners.len());
        for listener in listeners {
            let (address, served) = (listener.address.clone(), listener.served);
            if served == Served::ALL {
                tracing::info!(%address, "serving metrics and probes");
            } else {
                tracing::info!(%address, %served, "serving a part of the endpoints");
            }
            let named = || format!("failed to listen on {address}");
            attached.push((Self::attach(listener).await.with_context(named)?, served));
        }
        Ok(attached)
    }

    /// Registers one listener with the runtime of the calling task.
    async fn attach(listener: Listener) -> io::Result<Self> {
        Ok(match listener.socket {
            #[cfg(not(task_turmoil))]
            BoundSocket::Tcp(listener) => Self::Tcp(TcpListener::from_std(listener)?),
            #[cfg(task_turmoil)]
            BoundSocket::Tcp(listener) => {
                let address = (std::net::Ipv4Addr::UNSPECIFIED, listener.local_addr()?.port());
                Self::Tcp(TcpListener::bind(address).await?)
            }
            #[cfg(unix)]
            BoundSocket::Unix(listener, file) => {
                let listener = tokio::net::UnixListener::from_std(listener)?;
                Self::Unix { listener, _file: file }
            }
        })
    }

    /// Accepts one connection.
    ///
    /// # Cancel safety
    ///
    /// No connection is lost if the future is dropped.
    async fn accept(&self) -> io::Result<Accepted> {
        match self {
            Self::Tcp(listener) => {
                let (stream, client) = listener.accept().await?;
                // A failure costs latency alone.
                let _ = stream.set_nodelay(true);
                Ok(Accepted::Tcp(stream, client.ip()))
            }
            #[cfg(unix)]
            Self::Unix { listener, .. } => Ok(Accepted::Unix(listener.accept().await?.0)),
        }
    }
}

/// Accepts and serves until `until` is cancelled, and returns the connections that are left.
/// Requests are served as a part of the task of `ctx`.
///
/// Dropping the future closes the listener and aborts its connections.
pub(super) async fn accept(
    until: Context,
    ctx: Context,
    listener: AsyncListener,
    served: Served,
    connections: Arc<Connections>,
    server: Arc<Server>,
) -> JoinSet<()> {
    let mut serving = JoinSet::new();
    let mut backoff = MIN_ACCEPT_BACKOFF;
    while let Ok(accepted) = until.or_cancelled(listener.accept()).await {
        // Here, so that the set does not grow with connections that have ended.
        while let Some(ended) = serving.try_join_next() {
            log_panic(ended);
        }
        let stream = match accepted {
            Ok(stream) => stream,
            Err(error) if is_about_one_connection(&error) => continue,
            Err(error) => {
                server.stats.accept_errors.fetch_add(1, Ordering::Relaxed);
                // Nearly always for lack of a file descriptor. Without one, a probe would wait
                // until a client goes away by itself.
                if connections.evict_one() {
                    backoff = MIN_ACCEPT_BACKOFF;
                }
                tracing::warn!(%error, ?backoff, "failed to accept a connection");
                if until.or_cancelled(sleep(backoff)).await.is_err() {
                    break;
                }
                backoff = (backoff * 2).min(MAX_ACCEPT_BACKOFF);
                continue;
            }
        };
        backoff = MIN_ACCEPT_BACKOFF;
        // While this waits, further clients wait in the backlog of the listener, so that the
        // process holds one connection per listener beyond the limit.
        let Ok(slot) = until.or_cancelled(connections.admit()).await else { break };
        let server = Arc::clone(&server);
        let ctx = ctx.clone();
        match stream {
            Accepted::Tcp(stream, client) => {
                let origin = Origin { client: Some(client), served };
                serving.spawn(in_task(ctx, serve_tcp(stream, origin, slot, server)))
            }
            #[cfg(unix)]
            Accepted::Unix(stream) => {
                let origin = Origin { client: None, served };
                serving.spawn(in_task(ctx, serve(stream, origin, slot, server)))
            }
        };
    }
    // From here on, connects are refused, and the file of a Unix socket is gone.
    drop(listener);
    server.stop.send_replace(true);
    serving
}

/// Serves a TCP connection, after a handshake if the server speaks TLS.
async fn serve_tcp(stream: TcpStream, origin: Origin, slot: Slot, server: Arc<Server>) {
    #[cfg(feature = "tls")]
    if let Some(tls) = server.tls.clone() {
        return super::handshake::serve_tls(tls, stream, origin, slot, server).await;
    }
    serve(stream, origin, slot, server).await;
}

/// Waits for the end of the connections, and aborts those that do not end in time. Returns what
/// that cut.
///
/// The time is the [stop timeout](crate::Limits::stop_timeout), or what the shutdown leaves to
/// `until` if that is less.
pub(super) async fn finish(
    mut serving: Vec<JoinSet<()>>,
    until: &Context,
    limits: &Limits,
    connections: &Connections,
) -> Cut {
    let limit = stop_timeout(until, limits.stop_timeout);
    if timeout(limit, join_all(&mut serving)).await.is_ok() {
        return Cut::default();
    }
    // A response that ends before its connection is aborted is not cut.
    connections.begin_cut();
    serving.iter_mut().for_each(JoinSet::abort_all);
    // A connection whose poll blocks cannot be waited for; the runtime drops it later.
    let _ = timeout(ABORT_TIMEOUT, join_all(&mut serving)).await;
    connections.cut()
}

/// Returns how long connections may take to end, so that what waits for them itself ends before the
/// shutdown would abort it.
fn stop_timeout(until: &Context, limit: Duration) -> Duration {
    // `None` means that the shutdown has no time limit.
    let remaining = until.remaining().unwrap_or(Duration::MAX);
    limit.min(remaining.saturating_sub(ABORT_TIMEOUT.min(remaining / 4)))
}

/// Waits until every connection has ended.
async fn join_all(serving: &mut [JoinSet<()>]) {
    for serving in serving {
        while let Some(ended) = serving.join_next().await {
            log_panic(ended);
        }
    }
}

/// Logs a panic of a connection. Panics of handlers are caught earlier; that of a body which a
/// service streams gets here.
fn log_panic(ended: Result<(), tokio::task::JoinError>) {
    if ended.is_err_and(|error| error.is_panic()) {
        tracing::error!("a connection panicked");
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
