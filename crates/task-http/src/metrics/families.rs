//! The built-in families, which need no registry: of the group, the process, the runtime and the
//! server.
//!
//! User sources take precedence over built-in families.
//!
//! A counter is named here without its `_total`, which the encoder adds where the format wants it.
//! Every family has the prefix `task_`, which can be replaced, except `process_*` and `tokio_*`,
//! whose names are known to dashboards.

use std::{
    borrow::Cow,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use task_core::Group;
use tokio::runtime::Handle;

use crate::{
    config::Format,
    health::Health,
    metrics::encode::{Encoder, PREFIX},
    stats::Stats,
};

mod group;
mod process;
mod runtime;
mod server;

use group::StartTimes;

/// Which families are served, and under which prefix.
#[derive(Clone, Debug)]
pub(crate) struct FamilyOptions {
    pub(crate) prefix: Cow<'static, str>,
    pub(crate) group: bool,
    pub(crate) process: bool,
    pub(crate) runtime: bool,
    pub(crate) server: bool,
}

impl Default for FamilyOptions {
    fn default() -> Self {
        Self { prefix: PREFIX.into(), group: true, process: true, runtime: true, server: true }
    }
}

/// The built-in families of one server.
pub(crate) struct BuiltInFamilies {
    options: FamilyOptions,
    group: Group,
    starts: Mutex<StartTimes>,
    health: Arc<Health>,
    stats: Arc<Stats>,
}

impl BuiltInFamilies {
    /// Makes the families of a server.
    pub(crate) fn new(
        options: FamilyOptions,
        group: Group,
        health: Arc<Health>,
        stats: Arc<Stats>,
    ) -> Self {
        Self { options, group, starts: Mutex::default(), health, stats }
    }

    /// Returns the families as text, without `# EOF`.
    pub(crate) fn encode(&self, format: Format, runtime: &Handle) -> String {
        let mut out = String::with_capacity(8 * 1024);
        let mut encoder = Encoder::new(&mut out, format, &self.options.prefix);
        if self.options.group {
            let snapshot = self.health.snapshot_of(&self.group);
            let mut starts = self.starts.lock().unwrap_or_else(PoisonError::into_inner);
            group::encode(&snapshot, &mut starts, &mut encoder);
        }
        if self.options.process {
            process::encode(&mut encoder);
        }
        if self.options.runtime {
            runtime::encode(&runtime.metrics(), &self.health.monitors, &mut encoder);
        }
        if self.options.server {
            server::encode(&self.stats, &self.health.checks, &mut encoder);
        }
        out
    }
}

impl fmt::Debug for BuiltInFamilies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BuiltInFamilies").field("options", &self.options).finish_non_exhaustive()
    }
}
