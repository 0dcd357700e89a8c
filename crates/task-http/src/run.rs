//! The run of the task: from bound listeners to the last closed connection.

use std::{borrow::Cow, future::poll_fn, pin::Pin, sync::Arc, task::Poll};

use anyhow::Context as _;
use task_core::{Context, Phase, Task};
use tokio::sync::watch;

#[cfg(feature = "tls")]
use crate::reload::Reload;
use crate::{
    HttpTask,
    accept::{Attached, accept},
    check::Helpers,
    connections::Connections,
    families::OwnFamilies,
    reload::keep_reloading,
    scrape::Scraper,
    server::Server,
    stats::Stats,
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
    /// At once, if the metrics sources have no format in common, or the runtime cannot take the listeners.
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
        } = self;
        let mut attached = Vec::with_capacity(listeners.len());
        for listener in listeners {
            let address = listener.address.clone();
            tracing::info!(%address, "serving metrics and probes");
            let named = || format!("failed to listen on {address}");
            attached.push(Attached::new(listener).with_context(named)?);
        }
        let group = ctx.group();
        let stats = Arc::new(Stats::new(routes.own.iter().map(|route| route.path.as_str())));
        let connections = Arc::new(Connections::new(limits.connections));
        let own = OwnFamilies::new(shown, group.clone(), Arc::clone(&connections), checks.clone());
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
