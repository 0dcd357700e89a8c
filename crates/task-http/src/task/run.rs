//! The run of the task: from bound listeners to the last closed connection.

use std::{borrow::Cow, future::poll_fn, pin::Pin, sync::Arc, task::Poll, time::Duration};

use anyhow::Context as _;
use task_core::{Context, Phase, Task};
use tokio::{runtime::Handle, sync::watch};

#[cfg(feature = "tls")]
use crate::reload::Reload;
use crate::{
    handlers::scrape::Scraper,
    health::{
        check::Helpers,
        heartbeat::{Heartbeat, Pulse},
    },
    metrics::families::OwnFamilies,
    reload::keep_reloading,
    serve::{
        accept::{Attached, accept},
        connections::Connections,
        server::Server,
    },
    stats::Stats,
    task::HttpTask,
};

impl Task for HttpTask {
    fn name(&self) -> Cow<'static, str> {
        Cow::Borrowed("http")
    }

    fn phase(&self) -> Phase {
        Phase::SUPPORT
    }

    /// Serves until cancelled, then closes its listeners, lets answers in progress end for a bounded time, and
    /// returns `Ok(())`.
    ///
    /// # Errors
    ///
    /// At once, if the metrics sources have no format in common, the runtime cannot take the listeners, or the system
    /// refuses the thread that watches the runtime.
    ///
    /// # Panics
    ///
    /// If the runtime has no I/O or no time driver.
    async fn run(self, ctx: Context) -> anyhow::Result<()> {
        let Self {
            listeners,
            routes,
            access,
            #[cfg(feature = "tls")]
            tls,
            limits,
            sources,
            shown,
            checks,
            reveals_reasons,
            runtimes,
            has_heartbeat,
        } = self;
        let mut attached = Vec::with_capacity(listeners.len());
        for listener in listeners {
            let address = listener.address.clone();
            tracing::info!(%address, "serving metrics and probes");
            let named = || format!("failed to listen on {address}");
            attached.push(Attached::new(listener).await.with_context(named)?);
        }
        let group = ctx.group();
        let stats = Arc::new(Stats::new(routes.own.iter().map(|route| route.path.as_str())));
        let connections = Arc::new(Connections::new(limits.connections));
        let (_heartbeat, pulses) = watch_runtimes(runtimes, has_heartbeat, limits.stall_time)?;
        let own = OwnFamilies::new(
            shown,
            group.clone(),
            Arc::clone(&connections),
            checks.clone(),
            pulses.clone(),
        );
        let reloads = access.reloads();
        #[cfg(feature = "tls")]
        let reloads = reloads.chain(tls.clone().map(|tls| tls as Arc<dyn Reload>));
        let reloads: Vec<_> = reloads.collect();
        let server = Arc::new(Server {
            scraper: Arc::new(Scraper::new(sources, own, Arc::clone(&stats))?),
            ctx: ctx.clone(),
            group,
            limits,
            routes,
            access,
            #[cfg(feature = "tls")]
            tls,
            checks,
            reveals_reasons,
            pulses,
            stats,
            helpers: Helpers::default(),
            stop: watch::Sender::new(false),
        });
        if !reloads.is_empty() {
            let interval = server.limits.reload_interval;
            server.helpers.spawn(keep_reloading(reloads, interval, Arc::clone(&server.stats)));
        }
        ctx.set_ready(true);

        // Within this very future: whoever drops it closes the listeners at that instant.
        let mut loops: Vec<Pin<Box<dyn Future<Output = ()> + Send>>> = Vec::new();
        for listener in attached {
            loops.push(Box::pin(accept(listener, Arc::clone(&connections), Arc::clone(&server))));
        }
        poll_fn(|cx| {
            loops.retain_mut(|accepting| accepting.as_mut().poll(cx).is_pending());
            if loops.is_empty() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        server.helpers.abort();
        Ok(())
    }
}

/// Starts to watch this runtime and the given ones, if that is wanted.
fn watch_runtimes(
    runtimes: Vec<(String, Handle)>,
    is_wanted: bool,
    threshold: Duration,
) -> anyhow::Result<(Option<Heartbeat>, Vec<Arc<Pulse>>)> {
    if !is_wanted {
        return Ok((None, Vec::new()));
    }
    let own = [("runtime".to_owned(), Handle::current())];
    let watched: Vec<_> = own
        .into_iter()
        .chain(runtimes)
        .map(|(name, handle)| (handle, Arc::new(Pulse::new(name, threshold))))
        .collect();
    let pulses = watched.iter().map(|(_, pulse)| Arc::clone(pulse)).collect();
    let heartbeat = Heartbeat::start(watched, threshold)
        .context("failed to start the thread that watches the runtime")?;
    Ok((Some(heartbeat), pulses))
}
