//! The settings of a server after all of them were checked.

use std::sync::Arc;

use anyhow::Context as _;
#[cfg(feature = "tls")]
use task_listen::LoadedTls;
use tokio::runtime::Handle;

use crate::{
    config::{Gate, Limits},
    handlers::routes::Routes,
    health::{
        check::Check,
        heartbeat::{Heartbeat, RuntimeMonitor},
    },
    metrics::{Sources, families::FamilyOptions},
};

/// What a server is made from, apart from its listeners.
pub(crate) struct Settings {
    pub(crate) routes: Routes,
    pub(crate) gate: Gate,
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<LoadedTls>,
    pub(crate) limits: Limits,
    pub(crate) sources: Sources,
    pub(crate) families: FamilyOptions,
    pub(crate) checks: Vec<Arc<Check>>,
    pub(crate) reveals_reasons: bool,
    /// The runtimes to watch beside the server's own, by name.
    pub(crate) runtimes: Vec<(String, Handle)>,
    pub(crate) has_heartbeat: bool,
    /// The version of the service, as the page shows it.
    pub(crate) version: Option<String>,
}

impl Settings {
    /// Starts the heartbeat of the server's own runtime and of the given ones, if it is wanted.
    pub(super) fn watch_runtimes(
        &self,
    ) -> anyhow::Result<(Option<Heartbeat>, Vec<Arc<RuntimeMonitor>>)> {
        if !self.has_heartbeat {
            return Ok((None, Vec::new()));
        }
        let stall_timeout = self.limits.stall_timeout;
        let own = [("runtime".to_owned(), Handle::current())];
        let monitored: Vec<_> = own
            .into_iter()
            .chain(self.runtimes.iter().cloned())
            .map(|(name, handle)| (handle, RuntimeMonitor::new(name, stall_timeout)))
            .collect();
        let monitors = monitored.iter().map(|(_, monitor)| Arc::clone(monitor)).collect();
        let heartbeat = Heartbeat::start(monitored, stall_timeout)
            .context("failed to start the thread that watches the runtime")?;
        Ok((Some(heartbeat), monitors))
    }
}
