//! The running server: from bound listeners to the last closed connection.
//!
//! # The end
//!
//! While the group drains, connections are accepted and requests answered as before, with
//! `Connection: close` or a GOAWAY. Once the task is cancelled, the accept loops take what waits in
//! the queues of their listeners, and close them. Each connection sees the cancellation by itself:
//! without a request it ends, after the least time to keep it alive; with one, after its answer.
//! [`finish`] waits for all of them, for a bounded time, and cuts the rest.
//!
//! A slot is held by everything that belongs to a connection: its stream (also after an upgrade),
//! its future, and each request. So no slot is left only when nothing is. As long as one is, a hold
//! keeps the task from having ended, also if a handler blocks its thread and cannot be dropped.
//! Then the manager abandons the task by name, before the cleanups run.

use std::{
    future::poll_fn,
    io,
    pin::{Pin, pin},
    sync::{Arc, atomic::Ordering::Relaxed},
    task::Poll,
    time::Duration,
};

use anyhow::Context as _;
use task_core::{
    Context,
    scope::{ChildrenView, Living},
};
#[cfg(feature = "tls")]
use task_listen::reload;
use task_listen::{
    AcceptEvents, Acceptor, Listener, Peer, Slot, Slots, Stream, advise_to_drain, in_task,
};
use tokio::{
    task::JoinSet,
    time::{Instant, timeout, timeout_at},
};

use crate::{
    connection::{Setup, serve},
    cut::short,
    limits::Limits,
    link::Link,
    service::{ClientAddress, HttpService},
    shared::Shared,
    spawned::Spawned,
    stats::Stats,
};

/// How long before its own deadline the task cuts what is left, and how much of that it waits for
/// the end of what it has cut.
const MARGIN: Duration = Duration::from_millis(250);
const ABORT_TIMEOUT: Duration = Duration::from_millis(150);

/// How often the time that the shutdown leaves is looked at, since an escalation shortens it.
const TICK: Duration = Duration::from_millis(100);

/// How often the status is set while the stop waits.
const STATUS_INTERVAL: Duration = Duration::from_secs(1);

/// What a server is made from, apart from its listeners and its service.
pub(crate) struct Settings {
    pub(crate) limits: Limits,
    pub(crate) stats: Arc<Stats>,
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<Arc<task_listen::LoadedTls>>,
    pub(crate) finishes_handlers: bool,
}

/// The running server, as its accept loops and its manager see it.
#[derive(Debug)]
struct Server {
    ctx: Context,
    slots: Arc<Slots<Link>>,
    shared: Arc<Shared>,
    #[cfg(feature = "tls")]
    tls: Option<Arc<task_listen::LoadedTls>>,
}

/// Serves on all listeners, as the task of `ctx`, until it is cancelled and the connections have
/// ended.
pub(crate) async fn run<S: HttpService>(
    listeners: Vec<Listener>,
    service: S,
    settings: Settings,
    ctx: Context,
) -> anyhow::Result<()> {
    let public = listeners.iter().map(Listener::address).find(|address| !address.is_local());
    let public = public.cloned();
    let mut acceptors = Vec::with_capacity(listeners.len());
    for listener in listeners {
        let address = listener.address().clone();
        let named = || format!("failed to listen on {address}");
        acceptors.push(Acceptor::attach(listener).await.with_context(named)?);
        tracing::info!(%address, "serving");
    }
    let slots = Slots::new(settings.limits.connections);
    let shared = Shared::new(settings.limits, settings.stats, &ctx, settings.finishes_handlers);
    let server = Arc::new(Server {
        ctx: ctx.clone(),
        slots,
        shared: Arc::new(shared),
        #[cfg(feature = "tls")]
        tls: settings.tls,
    });
    // Dropped with this future, which aborts the tasks.
    let mut beside = JoinSet::new();
    if let Some(address) = public {
        beside.spawn(in_task(ctx.clone(), advise_to_drain(address, ctx.group())));
    }
    #[cfg(feature = "tls")]
    if let Some(tls) = server.tls.clone() {
        let stats = Arc::clone(&server.shared.stats);
        let count = move |_, was_taken| {
            Stats::add(if was_taken { &stats.reloads } else { &stats.failed_reloads });
        };
        beside.spawn(reload::run(vec![tls], server.shared.limits.reload_interval, count));
    }
    let children: Arc<dyn ChildrenView> = Arc::clone(&server) as _;
    ctx.add_children(Arc::downgrade(&children));
    let _cut_on_drop = CutOnDrop(Arc::clone(&server));
    let connections = Spawned::new(ctx.clone());
    ctx.set_ready(true);

    // The loops are polled by this future and not spawned, so that its drop closes the listeners.
    let mut loops: Vec<Pin<Box<dyn Future<Output = ()> + Send + '_>>> = Vec::new();
    for acceptor in acceptors {
        loops.push(Box::pin(server.accept(acceptor, service.clone(), &connections)));
    }
    poll_fn(|cx| {
        loops.retain_mut(|accepting| accepting.as_mut().poll(cx).is_pending());
        if loops.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    server.finish().await;
    // A connection that has ended may still be on its way out of its task.
    let _ = timeout(ABORT_TIMEOUT, pin!(connections.ended())).await;
    Ok(())
}

impl Server {
    /// Accepts until the task is cancelled, takes the queue, and closes the listener.
    async fn accept<S: HttpService>(
        self: &Arc<Self>,
        mut acceptor: Acceptor,
        service: S,
        connections: &Spawned,
    ) {
        let view = Arc::clone(self) as Arc<dyn ChildrenView>;
        let link = || Link::new(Arc::clone(&self.shared), self.ctx.hold(), Arc::clone(&view));
        // That of the last round, if the stop came while it waited for a slot.
        let mut waiting: Option<(Stream, Peer)> = None;
        while let Ok((stream, peer)) = self.ctx.or_cancelled(acceptor.accept(&**self)).await {
            // While this waits, further clients wait in the backlog of the listener, so that the
            // process holds one connection per listener beyond the limit.
            match self.ctx.or_cancelled(self.slots.admit(link)).await {
                Ok(slot) => self.connect(stream, peer, slot, service.clone(), connections),
                Err(_) => {
                    waiting = Some((stream, peer));
                    break;
                }
            }
        }
        let take = |stream, peer| match self.slots.try_admit(link) {
            Some(slot) => {
                self.connect(stream, peer, slot, service.clone(), connections);
                true
            }
            // What has no place is reset, as by a listener that is closed.
            None => {
                Stats::add(&self.shared.stats.refused);
                false
            }
        };
        if let Some((stream, peer)) = waiting {
            take(stream, peer);
        }
        acceptor.close(take);
    }

    /// Spawns the task of a connection.
    fn connect<S: HttpService>(
        &self,
        stream: Stream,
        peer: Peer,
        slot: Slot<Link>,
        service: S,
        connections: &Spawned,
    ) {
        let setup = Setup {
            service,
            ctx: self.ctx.clone(),
            client: ClientAddress(peer),
            #[cfg(feature = "tls")]
            tls: self.tls.clone(),
        };
        connections.spawn(serve(stream, slot, setup));
    }

    /// Waits for the end of the connections, and cuts those that do not end in time.
    async fn finish(&self) {
        let begun = Instant::now();
        let margin = self.ctx.remaining().map_or(MARGIN, |remaining| MARGIN.min(remaining / 2));
        let mut status_at = begun;
        loop {
            let now = Instant::now();
            // What is left before the shutdown would abort the task, without a word on what it cut.
            let remaining = self.ctx.remaining().unwrap_or(Duration::MAX).saturating_sub(margin);
            let limit = self.shared.limits.stop_timeout.saturating_sub(now - begun);
            let left = remaining.min(limit);
            if left.is_zero() {
                break;
            }
            if now >= status_at {
                status_at = now + STATUS_INTERVAL;
                if let Some(status) = self.status() {
                    self.ctx.set_status(status);
                }
            }
            if timeout_at(now + left.min(TICK), self.slots.emptied()).await.is_ok() {
                break;
            }
        }
        if !self.slots.is_empty() {
            self.cut();
            if timeout(ABORT_TIMEOUT, self.slots.emptied()).await.is_err() {
                // Their polls block. The manager names them, too, when it abandons the task.
                self.slots.occupants().iter().for_each(|link| link.count_rest());
            }
        }
        self.shared.stats.stop_millis.store(begun.elapsed().as_millis() as u64, Relaxed);
        self.report();
    }

    /// Says what the stop waits for; `None` if nothing is in flight.
    fn status(&self) -> Option<String> {
        let mut in_flight = 0_u64;
        let mut oldest: Option<(Duration, String)> = None;
        for link in self.slots.occupants() {
            link.for_each_in_flight(|age, name| {
                in_flight += 1;
                if oldest.as_ref().is_none_or(|(known, _)| age > *known) {
                    oldest = Some((age, name()));
                }
            });
        }
        let (age, name) = oldest?;
        Some(format!("{in_flight} in flight, oldest {name} {}", short(age)))
    }

    /// States in the log and in the report what was cut.
    fn report(&self) {
        let cut = self.shared.cut();
        if cut.count() == 0 {
            drop(cut);
            self.ctx.set_status("");
            return;
        }
        let (text, has_requests) = (cut.to_string(), cut.has_requests());
        drop(cut);
        tracing::warn!(cut = text, "connections cut at the stop");
        self.ctx.set_status(text.clone());
        if has_requests {
            self.ctx.record_failure(anyhow::anyhow!(text));
        }
    }

    fn cut(&self) {
        self.slots.occupants().iter().for_each(|link| link.cut());
        if let Some(handlers) = &self.shared.handlers {
            handlers.abort();
        }
    }
}

impl AcceptEvents for Server {
    /// Nearly always for lack of a file descriptor. Without one, every client would wait until
    /// another one goes away by itself.
    fn failed(&self, _error: &io::Error) -> bool {
        Stats::add(&self.shared.stats.accept_errors);
        if !self.shared.stats.is_starved.swap(true, Relaxed) {
            self.ctx.set_ready(false);
        }
        self.slots.evict_one()
    }

    fn recovered(&self) {
        if self.shared.stats.is_starved.swap(false, Relaxed) {
            self.ctx.set_ready(true);
        }
    }
}

/// What the manager sees of the connections: it names those that hold the shutdown up.
impl ChildrenView for Server {
    fn count(&self) -> usize {
        self.slots.len()
    }

    fn living(&self, limit: usize) -> Living {
        let mut all = Vec::new();
        for link in self.slots.occupants() {
            link.for_each_in_flight(|age, name| all.push((age, name())));
        }
        all.sort_by(|one, other| other.cmp(one));
        let mut living = Living::new();
        living.more = all.len().saturating_sub(limit);
        let named = all.into_iter().take(limit);
        living.names = named.map(|(age, name)| format!("{name} ({})", short(age))).collect();
        living
    }

    fn abort(&self, _was_requested: bool) {
        self.cut();
    }
}

/// Cuts the connections when the future of the task ends or is dropped. Upgraded ones are not
/// within it.
struct CutOnDrop(Arc<Server>);

impl Drop for CutOnDrop {
    fn drop(&mut self) {
        self.0.cut();
    }
}
