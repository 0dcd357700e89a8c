//! The running server: from bound listeners to the last closed connection.
//!
//! [`run`] makes a [`Server`] from the [`Settings`] and polls one accept loop for each listener.
//! Each accepted connection gets a slot ([`connections`]) and a task of its own, which does the TLS
//! handshake if there is one ([`handshake`]) and then speaks HTTP ([`connection`]). Each request
//! goes through the [`Router`], which leads to a handler.
//!
//! # The end
//!
//! The cancellation travels in one direction: from the context `until`, which is that of the task,
//! or of a cleanup that stops the server after all others. The accept loops see it, close their
//! listeners, and set [`Server::stop`]. The connections see that: those without a complete request
//! close, the others close after their response. `run` waits for the connections, for a bounded
//! time, aborts the rest, and ends, and with it the reloads, the heartbeat and the checks.
//!
//! If the future of `run` is dropped instead, all of this is dropped with it: the loops are polled
//! by it, and the connections are in their `JoinSet`s.

use std::{future::poll_fn, net::IpAddr, pin::Pin, sync::Arc, task::Poll};

use task_core::Context;
#[cfg(feature = "tls")]
use task_listen::{LoadedTls, reload::Reload};
use task_listen::{advise_to_drain, in_task, reload};
use tokio::{sync::watch, task::JoinSet};

use crate::{
    config::{Endpoint, HttpListener, Limits, Served},
    handlers::{scrape::Scraper, tasks::Instance},
    health::Health,
    metrics::families::BuiltInFamilies,
    stats::Stats,
};

mod accept;
mod connection;
mod connections;
mod cut;
#[cfg(feature = "tls")]
mod handshake;
mod router;
mod settings;

use accept::{accept, attach_all, finish};
use connections::Connections;
pub(crate) use cut::Cut;
use router::Router;
pub(crate) use settings::Settings;

/// Where a request comes from.
#[derive(Clone, Copy, Debug)]
struct Origin {
    /// `None` on a Unix socket.
    client: Option<IpAddr>,
    /// What the listener serves.
    served: Served,
}

/// What all connections of a running server share.
#[derive(Debug)]
struct Server {
    router: Router,
    limits: Arc<Limits>,
    #[cfg(feature = "tls")]
    tls: Option<Arc<LoadedTls>>,
    stats: Arc<Stats>,
    /// Becomes true when the connections have to end.
    stop: watch::Sender<bool>,
}

impl Server {
    /// Returns a receiver that sees when the connections have to end. A closed channel means the
    /// same: the server is gone.
    fn stopping(&self) -> watch::Receiver<bool> {
        self.stop.subscribe()
    }
}

/// Serves on all listeners, as a part of the task of `ctx`, until `until` is cancelled and the
/// connections have ended. Returns the responses that were cut.
pub(crate) async fn run(
    listeners: Vec<HttpListener>,
    settings: Settings,
    ctx: Context,
    until: Context,
) -> anyhow::Result<Cut> {
    // The first address at which the readiness can be asked for from outside the machine.
    let mut public = listeners
        .iter()
        .filter(|listener| !listener.address().is_local() && listener.served.has(Endpoint::Readyz));
    let public_address = public.next().map(|listener| listener.address().clone());
    let listeners = attach_all(listeners).await?;
    // The heartbeat stops when this future ends or is dropped.
    let (_heartbeat, monitors) = settings.watch_runtimes()?;
    let Settings {
        routes,
        gate,
        #[cfg(feature = "tls")]
        tls,
        limits,
        sources,
        families,
        checks,
        reveals_reasons,
        runtimes: _,
        has_heartbeat: _,
        version,
    } = settings;
    let group = ctx.group();
    let instance = Arc::new(Instance::of_this_process(version, group.snapshot().uptime));
    let limits = Arc::new(limits);
    let user_routes = routes.user.iter().map(|route| route.path.as_str());
    let stats = Arc::new(Stats::new(user_routes, limits.scrapes_at_once()));
    let health = Arc::new(Health::new(checks, monitors, reveals_reasons, ctx.clone()));
    let families =
        BuiltInFamilies::new(families, group.clone(), Arc::clone(&health), Arc::clone(&stats));
    let scraper = Arc::new(Scraper::new(sources, families, Arc::clone(&stats), ctx.clone()));

    let reloads = gate.reloads();
    #[cfg(feature = "tls")]
    let tls = tls.map(Arc::new);
    #[cfg(feature = "tls")]
    let reloads = reloads.chain(tls.clone().map(|tls| tls as Arc<dyn Reload>));
    let reloads: Vec<_> = reloads.collect();
    // Dropped with this future, which aborts the tasks.
    let mut beside = JoinSet::new();
    if let Some(address) = public_address {
        beside.spawn(in_task(ctx.clone(), advise_to_drain(address, group.clone())));
    }
    if !reloads.is_empty() {
        let stats = Arc::clone(&stats);
        let count = move |what, was_taken| stats.count_reload(what, was_taken);
        beside.spawn(reload::run(reloads, limits.reload_interval, count));
    }

    let connections = Arc::new(Connections::new(limits.connections, Arc::clone(&stats)));
    let server = Arc::new(Server {
        router: Router {
            ctx: ctx.clone(),
            group,
            routes,
            gate,
            health: Arc::clone(&health),
            instance,
            scraper,
            stats: Arc::clone(&stats),
            limits: Arc::clone(&limits),
        },
        limits,
        #[cfg(feature = "tls")]
        tls,
        stats,
        stop: watch::Sender::new(false),
    });
    // From here on, nothing can fail.
    ctx.set_ready(true);

    // The loops are polled by this future and not spawned, so that its drop closes the listeners.
    let mut loops: Vec<Pin<Box<dyn Future<Output = JoinSet<()>> + Send>>> = Vec::new();
    for (listener, served) in listeners {
        let (until, ctx) = (until.clone(), ctx.clone());
        let (connections, server) = (Arc::clone(&connections), Arc::clone(&server));
        loops.push(Box::pin(accept(until, ctx, listener, served, connections, server)));
    }
    let mut serving = Vec::new();
    poll_fn(|cx| {
        loops.retain_mut(|accepting| match accepting.as_mut().poll(cx) {
            Poll::Ready(left) => {
                serving.push(left);
                false
            }
            Poll::Pending => true,
        });
        if loops.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    let cut = finish(serving, &until, &server.limits, &connections).await;
    if !cut.is_empty() {
        tracing::warn!(responses = %cut, "responses cut at the stop timeout");
    }
    // A scrape whose source does not return keeps `health` alive beyond this task.
    health.abort_checks();
    Ok(cut)
}
