//! The accept loop of one listener, and the end of its connections.

use std::{
    io,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use anyhow::Context as _;
use task_core::Context;
use task_listen::{AcceptEvents, Acceptor, Slot, Stream, in_task};
use tokio::{task::JoinSet, time::timeout};

use super::{
    Origin, Server,
    connection::serve,
    connections::{Connection, Connections},
    cut::Cut,
};
use crate::{
    config::{HttpListener, Limits, Served},
    stats::Stats,
};

/// How long to wait for the end of connections that were aborted.
const ABORT_TIMEOUT: Duration = Duration::from_millis(100);

/// Registers listeners with the runtime of the calling task.
pub(super) async fn attach_all(
    listeners: Vec<HttpListener>,
) -> anyhow::Result<Vec<(Acceptor, Served)>> {
    let mut attached = Vec::with_capacity(listeners.len());
    for HttpListener { listener, served } in listeners {
        let address = listener.address().clone();
        if served == Served::ALL {
            tracing::info!(%address, "serving metrics and probes");
        } else {
            tracing::info!(%address, %served, "serving a part of the endpoints");
        }
        let named = || format!("failed to listen on {address}");
        attached.push((Acceptor::attach(listener).await.with_context(named)?, served));
    }
    Ok(attached)
}

/// Accepts and serves until `until` is cancelled, and returns the connections that are left.
/// Requests are served as a part of the task of `ctx`.
///
/// Dropping the future closes the listener and aborts its connections.
pub(super) async fn accept(
    until: Context,
    ctx: Context,
    mut acceptor: Acceptor,
    served: Served,
    connections: Arc<Connections>,
    server: Arc<Server>,
) -> JoinSet<()> {
    let mut serving = JoinSet::new();
    let errors = Errors { connections: Arc::clone(&connections), stats: Arc::clone(&server.stats) };
    while let Ok((stream, client)) = until.or_cancelled(acceptor.accept(&errors)).await {
        // Here, so that the set does not grow with connections that have ended.
        while let Some(ended) = serving.try_join_next() {
            log_panic(ended);
        }
        // While this waits, further clients wait in the backlog of the listener, so that the
        // process holds one connection per listener beyond the limit.
        let Ok(slot) = until.or_cancelled(connections.admit()).await else { break };
        let origin = Origin { client: client.map(|client| client.ip()), served };
        serving.spawn(in_task(ctx.clone(), serve_one(stream, origin, slot, Arc::clone(&server))));
    }
    // From here on, connects are refused, and the file of a Unix socket is gone.
    drop(acceptor);
    server.stop.send_replace(true);
    serving
}

/// What is done about errors of the listener or the process.
struct Errors {
    connections: Arc<Connections>,
    stats: Arc<Stats>,
}

impl AcceptEvents for Errors {
    /// Nearly always for lack of a file descriptor. Without one, a probe would wait until a client
    /// goes away by itself.
    fn failed(&self, _error: &io::Error) -> bool {
        self.stats.accept_errors.fetch_add(1, Ordering::Relaxed);
        self.connections.evict_one()
    }
}

/// Serves a connection, after a handshake if the server speaks TLS.
async fn serve_one(stream: Stream, origin: Origin, slot: Slot<Connection>, server: Arc<Server>) {
    #[cfg(feature = "tls")]
    let stream = match server.tls.clone() {
        Some(tls) => match super::handshake::shake_hands(&tls, stream, &slot, &server).await {
            Some(stream) => stream,
            None => return,
        },
        None => stream,
    };
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
