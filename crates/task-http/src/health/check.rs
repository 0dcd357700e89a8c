//! Named checks, run with a timeout and no more often than needed.

use std::{
    borrow::Cow,
    fmt,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use task_core::{Context, scope::guarded_text};
use task_listen::{catch_panic, in_task};
use tokio::{task::JoinSet, time::timeout};

use crate::{
    config::Limits,
    single_flight::{Pending, SingleFlight},
};

/// The future of one run of a check.
pub(crate) type CheckFuture = Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send>>;
/// The function that the user has added.
type CheckFn = Box<dyn Fn() -> CheckFuture + Send + Sync>;

/// The probe that a check belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Probe {
    Live,
    Ready,
}

/// One named check.
pub(crate) struct Check {
    pub(crate) name: String,
    pub(crate) probe: Probe,
    run: CheckFn,
    flight: SingleFlight<CheckResult>,
    last: Mutex<Option<CheckResult>>,
}

/// The result of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CheckResult {
    Passed,
    /// With the error and its causes.
    Failed(Arc<str>),
    TimedOut,
    Panicked,
}

impl CheckResult {
    /// Returns why the check did not pass; `None` if it did. The error is withheld unless
    /// `reveals_reasons`.
    pub(crate) fn reason(&self, reveals_reasons: bool) -> Option<Cow<'static, str>> {
        match self {
            Self::Passed => None,
            Self::Failed(reason) if reveals_reasons => Some(reason.to_string().into()),
            Self::Failed(_) => Some("reason withheld".into()),
            Self::TimedOut => Some("timed out".into()),
            Self::Panicked => Some("panicked".into()),
        }
    }
}

impl Check {
    /// Makes a check that has not run yet.
    pub(crate) fn new(name: String, probe: Probe, run: CheckFn) -> Self {
        Self { name, probe, run, flight: SingleFlight::default(), last: Mutex::default() }
    }

    /// Begins the check, unless it runs already or its last result is fresh.
    ///
    /// The check runs in a task of its own, so that the result is there for the next probe even if
    /// the client of this one goes away.
    pub(crate) fn begin(
        self: &Arc<Self>,
        limits: &Limits,
        runs: &CheckRuns,
    ) -> Pending<CheckResult> {
        let limit = limits.check_timeout;
        self.flight.join(limits.check_age, |completer| {
            let check = Arc::clone(self);
            runs.spawn(async move {
                let result = timeout(limit, check.result()).await;
                let result = result.unwrap_or(CheckResult::TimedOut);
                *check.lock_last() = Some(result.clone());
                completer.complete(result);
            });
        })
    }

    /// Returns whether the last run that has ended passed, however long ago; `None` before the end
    /// of the first.
    pub(crate) fn has_passed(&self) -> Option<bool> {
        self.lock_last().as_ref().map(|result| *result == CheckResult::Passed)
    }

    /// Returns the result of the last run that has ended, however long ago; `None` before the end
    /// of the first.
    pub(crate) fn last(&self) -> Option<CheckResult> {
        self.lock_last().clone()
    }

    /// Runs the check once. A panic of the function or of its future is a result.
    async fn result(&self) -> CheckResult {
        match catch_panic(|| (self.run)()).await {
            Ok(Ok(())) => CheckResult::Passed,
            Ok(Err(error)) => CheckResult::Failed(guarded_text(format_args!("{error:#}")).into()),
            Err(_) => CheckResult::Panicked,
        }
    }

    fn lock_last(&self) -> MutexGuard<'_, Option<CheckResult>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Check").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The tasks of the checks that run.
#[derive(Debug)]
pub(crate) struct CheckRuns {
    ctx: Context,
    runs: Mutex<JoinSet<()>>,
}

impl CheckRuns {
    /// Makes the runs of a server, as which the checks run.
    pub(super) fn new(ctx: Context) -> Self {
        Self { ctx, runs: Mutex::default() }
    }

    /// Spawns a run, and removes those that have ended.
    fn spawn(&self, run: impl Future<Output = ()> + Send + 'static) {
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        while runs.try_join_next().is_some() {}
        runs.spawn(in_task(self.ctx.clone(), run));
    }

    /// Aborts all runs. The runtime drops their futures when it polls them next.
    pub(super) fn abort(&self) {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner).abort_all();
    }
}
