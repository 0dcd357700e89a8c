//! The metrics that need no registry: the group's, the process's, the runtime's and the server's own.

use std::{
    borrow::Cow,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use task_core::Group;
use tokio::runtime::Handle;

use crate::{
    config::Format,
    health::{check::Check, heartbeat::Pulse},
    metrics::encode::{Encoder, PREFIX},
    serve::connections::Connections,
    stats::Stats,
};

mod group;
mod process;
mod runtime;
mod server;

use group::StartTimes;

/// Which of them are shown.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    pub(crate) prefix: Cow<'static, str>,
    pub(crate) group: bool,
    pub(crate) process: bool,
    pub(crate) runtime: bool,
    pub(crate) server: bool,
}

impl Default for Shown {
    fn default() -> Self {
        Self { prefix: PREFIX.into(), group: true, process: true, runtime: true, server: true }
    }
}

/// Encodes them all.
pub(crate) struct OwnFamilies {
    shown: Shown,
    group: Group,
    starts: Mutex<StartTimes>,
    connections: Arc<Connections>,
    checks: Vec<Arc<Check>>,
    pulses: Vec<Arc<Pulse>>,
}

impl OwnFamilies {
    pub(crate) fn new(
        shown: Shown,
        group: Group,
        connections: Arc<Connections>,
        checks: Vec<Arc<Check>>,
        pulses: Vec<Arc<Pulse>>,
    ) -> Self {
        Self { shown, group, starts: Mutex::default(), connections, checks, pulses }
    }

    /// Returns everything, without an end mark.
    pub(crate) fn encode(&self, format: Format, runtime: &Handle, stats: &Stats) -> String {
        let mut out = String::with_capacity(8 * 1024);
        let mut encoder = Encoder::new(&mut out, format, &self.shown.prefix);
        if self.shown.group {
            let snapshot = self.group.snapshot();
            let mut starts = self.starts.lock().unwrap_or_else(PoisonError::into_inner);
            group::encode(&snapshot, &mut starts, &mut encoder);
        }
        if self.shown.process {
            process::encode(&mut encoder);
        }
        if self.shown.runtime {
            runtime::encode(&runtime.metrics(), &self.pulses, &mut encoder);
        }
        if self.shown.server {
            server::encode(stats, &self.connections, &self.checks, &mut encoder);
        }
        out
    }
}

impl fmt::Debug for OwnFamilies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnFamilies").field("shown", &self.shown).finish_non_exhaustive()
    }
}
