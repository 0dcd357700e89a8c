//! The loop of one listener: it accepts until the task is cancelled, and then sees its connections off.

use std::{
    io,
    net::IpAddr,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

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

use crate::{
    config::listener::{BoundSocket, Listener},
    serve::{
        connection::serve,
        connections::{Connections, Slot},
        server::Server,
    },
};

/// The first wait after an error that is not one connection's alone, such as too many open files. It doubles up to
/// [`LONGEST_PAUSE`] and begins anew after a success.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// How long connections that are dropped by force may take to be gone.
const ABORT_TIME: Duration = Duration::from_millis(100);

/// A listener that the runtime knows.
pub(crate) enum Attached {
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

impl Attached {
    /// Attaches a listener to the runtime of the calling task.
    pub(crate) async fn new(listener: Listener) -> io::Result<Self> {
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

    async fn accept(&self) -> io::Result<Accepted> {
        match self {
            Self::Tcp(listener) => {
                let (stream, client) = listener.accept().await?;
                // Only costs latency if it fails.
                let _ = stream.set_nodelay(true);
                Ok(Accepted::Tcp(stream, client.ip()))
            }
            #[cfg(unix)]
            Self::Unix { listener, .. } => Ok(Accepted::Unix(listener.accept().await?.0)),
        }
    }
}

/// Accepts and serves until the task is cancelled and every connection of this listener has ended, which is bounded.
pub(crate) async fn accept(listener: Attached, connections: Arc<Connections>, server: Arc<Server>) {
    let mut serving = JoinSet::new();
    let ctx = server.ctx.clone();
    let mut pause = FIRST_PAUSE;
    while let Ok(accepted) = ctx.or_cancelled(listener.accept()).await {
        while let Some(ended) = serving.try_join_next() {
            log_panic(ended);
        }
        let stream = match accepted {
            Ok(stream) => stream,
            Err(error) if is_of_one_connection(&error) => continue,
            Err(error) => {
                connections.accept_errors.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(%error, ?pause, "failed to accept a connection");
                if ctx.or_cancelled(sleep(pause)).await.is_err() {
                    break;
                }
                pause = (pause * 2).min(LONGEST_PAUSE);
                continue;
            }
        };
        pause = FIRST_PAUSE;
        let Ok(slot) = ctx.or_cancelled(connections.admit()).await else { break };
        let server = Arc::clone(&server);
        match stream {
            Accepted::Tcp(stream, client) => serving.spawn(serve_tcp(stream, client, slot, server)),
            #[cfg(unix)]
            Accepted::Unix(stream) => serving.spawn(serve(stream, None, slot, server)),
        };
    }
    // From here on, connecting is refused, and the path of a Unix socket is gone.
    drop(listener);
    server.stop.send_replace(true);
    see_off(serving, stop_time(&ctx, server.limits.stop_time)).await;
}

async fn serve_tcp(stream: TcpStream, client: IpAddr, slot: Slot, server: Arc<Server>) {
    #[cfg(feature = "tls")]
    if let Some(tls) = server.tls.clone() {
        return crate::serve::handshake::serve_tls(tls, stream, client, slot, server).await;
    }
    serve(stream, Some(client), slot, server).await;
}

/// How long connections may take to end: not so long that the task itself would be aborted.
fn stop_time(ctx: &Context, limit: Duration) -> Duration {
    let remaining = ctx.remaining().unwrap_or(Duration::MAX);
    limit.min(remaining.saturating_sub(ABORT_TIME.min(remaining / 4)))
}

async fn see_off(mut serving: JoinSet<()>, stop_time: Duration) {
    let all_ended = timeout(stop_time, join_all(&mut serving)).await.is_ok();
    if !all_ended {
        tracing::debug!(
            connections = serving.len(),
            "dropping connections that did not end in time"
        );
        serving.abort_all();
        // A connection that does not even get polled is left to the runtime.
        let _ = timeout(ABORT_TIME, join_all(&mut serving)).await;
    }
}

async fn join_all(serving: &mut JoinSet<()>) {
    while let Some(ended) = serving.join_next().await {
        log_panic(ended);
    }
}

fn log_panic(ended: Result<(), tokio::task::JoinError>) {
    if ended.is_err_and(|error| error.is_panic()) {
        tracing::error!("a connection panicked");
    }
}

/// Tells errors that concern the one connection that was about to be accepted.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}
