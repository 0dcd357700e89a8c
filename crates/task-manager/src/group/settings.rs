//! What a manager is configured with.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use task_core::Phase;

use crate::Timeout;
use crate::lifecycle::Budgets;

/// The whole shutdown, if nothing is set.
const TOTAL: Duration = Duration::from_secs(25);
/// The most that cleanups get if nothing is set, and once the shutdown is escalated.
const CLEANUP: Duration = Duration::from_secs(5);
const ESCALATED_CLEANUP: Duration = Duration::from_secs(1);
/// What is kept for telemetry if nothing is set, and of a short total at most a fifth of what can
/// be spared.
const TELEMETRY: Duration = Duration::from_secs(2);
/// The shortest time that the budgets must leave for stopping tasks.
pub(crate) const SHORTEST_STOP: Duration = Duration::from_millis(100);

#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) name: Cow<'static, str>,
    /// `None` if it is not set.
    pub(crate) total: Option<Timeout>,
    /// `None` if it is not set: it is then zero, and perhaps forgotten.
    pub(crate) drain: Option<Duration>,
    /// `None` if it is not set: it then follows from the total.
    pub(crate) cleanup: Option<Duration>,
    pub(crate) escalated_cleanup: Option<Duration>,
    /// `None` if it is not set: it then follows from the total.
    pub(crate) telemetry: Option<Duration>,
    pub(crate) phases: Vec<(Phase, Duration)>,
    pub(crate) only_failures_stop: bool,
    pub(crate) unasked_end_fails: bool,
    pub(crate) unasked_end_warns: bool,
    pub(crate) start: Option<Duration>,
    pub(crate) hard_exit: Option<u8>,
    /// Where a hard exit leaves its message.
    pub(crate) termination_log: Option<Arc<Path>>,
    pub(crate) locates_panics: bool,
    #[cfg(feature = "token")]
    pub(crate) parent: Option<tokio_util::sync::CancellationToken>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            name: Cow::Borrowed("manager"),
            total: None,
            drain: None,
            cleanup: None,
            escalated_cleanup: None,
            telemetry: None,
            phases: Vec::new(),
            only_failures_stop: false,
            unasked_end_fails: false,
            unasked_end_warns: false,
            start: None,
            hard_exit: None,
            termination_log: None,
            locates_panics: true,
            #[cfg(feature = "token")]
            parent: None,
        }
    }
}

impl Settings {
    pub(crate) fn total(&self) -> Timeout {
        self.total.unwrap_or(Timeout::After(TOTAL))
    }

    /// Returns how long telemetry has after the report.
    pub(crate) fn telemetry(&self) -> Duration {
        let drain = self.drain.unwrap_or_default();
        let taken = drain + self.cleanup.unwrap_or_default() + SHORTEST_STOP;
        let spare = self.total().limit().map(|total| total.saturating_sub(taken));
        let default = spare.map_or(TELEMETRY, |spare| TELEMETRY.min(spare / 5));
        self.telemetry.unwrap_or(default)
    }

    /// Returns the budgets, with those that are not set.
    pub(crate) fn budgets(&self) -> Budgets {
        let drain = self.drain.unwrap_or_default();
        let work = self.total().limit().map(|total| total.saturating_sub(drain));
        let cleanup = work.map_or(CLEANUP, |work| CLEANUP.min(work / 4));
        let cleanup = self.cleanup.unwrap_or(cleanup);
        Budgets {
            total: self.total(),
            drain,
            cleanup,
            limits_cleanups: self.cleanup.is_some(),
            escalated_cleanup: self.escalated_cleanup.unwrap_or(ESCALATED_CLEANUP.min(cleanup)),
            phases: self.phases.clone(),
        }
    }
}
