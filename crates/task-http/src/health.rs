//! The health of the service, as the probes report it: checks, and the monitors of runtimes.
//!
//! A check is asked: it runs when a probe wants it, in a task of its own, and its result is shared
//! by the probes that come while it runs or is fresh. A monitor is not asked: the thread of the
//! [`heartbeat`] measures all the time, since a blocked runtime could not run a check. The
//! readiness of the group is not here: the probes read it from the group itself.

use std::sync::Arc;

use task_core::{Blocker, Context, Group, GroupSnapshot};
use tokio::time::{Instant, timeout_at};

use crate::config::{Limits, limits::after};

pub(crate) mod check;
pub(crate) mod heartbeat;

use check::{Check, CheckResult, CheckRuns, Probe};
use heartbeat::RuntimeMonitor;

/// The checks and monitors of one server.
#[derive(Debug)]
pub(crate) struct Health {
    pub(crate) checks: Vec<Arc<Check>>,
    pub(crate) monitors: Vec<Arc<RuntimeMonitor>>,
    /// Whether responses show why a check failed.
    pub(crate) reveals_reasons: bool,
    runs: CheckRuns,
}

impl Health {
    /// Makes the health of a server in which no check has run yet. Checks run as a part of the
    /// task of `ctx`.
    pub(crate) fn new(
        checks: Vec<Arc<Check>>,
        monitors: Vec<Arc<RuntimeMonitor>>,
        reveals_reasons: bool,
        ctx: Context,
    ) -> Self {
        Self { checks, monitors, reveals_reasons, runs: CheckRuns::new(ctx) }
    }

    /// Returns the checks of a probe.
    pub(crate) fn checks_of(&self, probe: Probe) -> impl Iterator<Item = &Arc<Check>> {
        self.checks.iter().filter(move |check| check.probe == probe)
    }

    /// Runs the checks of a probe that are `wanted`, concurrently, and returns their results.
    pub(crate) async fn run_checks(
        &self,
        probe: Probe,
        limits: &Limits,
        wanted: impl Fn(&str) -> bool,
    ) -> Vec<(&Check, CheckResult)> {
        // All are begun before the first one is waited for, so that they run concurrently.
        let begun: Vec<_> = self
            .checks_of(probe)
            .filter(|check| wanted(&check.name))
            .map(|check| (check, check.begin(limits, &self.runs)))
            .collect();
        // Each run has the same timeout, but a check that blocks its thread does not see it.
        let deadline = after(Instant::now(), limits.check_timeout);
        let mut results = Vec::with_capacity(begun.len());
        for (check, pending) in begun {
            let result = match timeout_at(deadline, pending.result()).await {
                Ok(result) => result.unwrap_or(CheckResult::Panicked),
                Err(_) => CheckResult::TimedOut,
            };
            results.push((check.as_ref(), result));
        }
        results
    }

    /// Returns a snapshot of the group in which each readiness check whose last run failed is a
    /// blocker, so that the task table and the metrics agree with `/readyz`.
    pub(crate) fn snapshot_of(&self, group: &Group) -> GroupSnapshot {
        let mut snapshot = group.snapshot();
        let failed = self.checks_of(Probe::Ready).filter(|check| check.has_passed() == Some(false));
        let failed = failed.map(|check| Blocker::CheckFailed(check.name.clone()));
        snapshot.readiness.blockers.extend(failed);
        snapshot
    }

    /// Aborts the checks that run.
    pub(crate) fn abort_checks(&self) {
        self.runs.abort();
    }
}
