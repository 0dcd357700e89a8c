//! Named health checks: run with a time limit, together, and no more often than needed.

use std::{
    fmt,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{task::JoinSet, time::timeout};

use crate::{
    caught::caught,
    config::Limits,
    flight::{Boarded, Flight},
};

pub(crate) type CheckFuture = Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send>>;
type CheckFn = Box<dyn Fn() -> CheckFuture + Send + Sync>;

/// Which probe a check belongs to.
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
    flight: Flight<Verdict>,
}

/// What came out of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Passed,
    Failed(Arc<str>),
    TimedOut,
    Panicked,
}

impl Check {
    pub(crate) fn new(name: String, probe: Probe, run: CheckFn) -> Self {
        Self { name, probe, run, flight: Flight::default() }
    }

    /// Begins the check, or joins the run in progress, or takes the last result while it is fresh.
    pub(crate) fn begin(self: &Arc<Self>, limits: &Limits, helpers: &Helpers) -> Boarded<Verdict> {
        let limit = limits.check_time;
        self.flight.join(limits.check_age, |landing| {
            let check = Arc::clone(self);
            helpers.spawn(async move {
                let verdict = timeout(limit, check.verdict()).await;
                landing.land(verdict.unwrap_or(Verdict::TimedOut));
            });
        })
    }

    /// Returns the last verdict, however old.
    pub(crate) fn last(&self) -> Option<Verdict> {
        self.flight.last()
    }

    async fn verdict(&self) -> Verdict {
        match caught(|| (self.run)()).await {
            Ok(Ok(())) => Verdict::Passed,
            Ok(Err(error)) => Verdict::Failed(format!("{error:#}").into()),
            Err(_) => Verdict::Panicked,
        }
    }
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Check").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Tasks that run beside the connections, and end with the server.
#[derive(Debug, Default)]
pub(crate) struct Helpers(Mutex<JoinSet<()>>);

impl Helpers {
    pub(crate) fn spawn(&self, helper: impl Future<Output = ()> + Send + 'static) {
        let mut helpers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while helpers.try_join_next().is_some() {}
        helpers.spawn(helper);
    }

    pub(crate) fn abort(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).abort_all();
    }
}
