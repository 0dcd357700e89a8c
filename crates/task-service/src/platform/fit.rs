//! The times of a shutdown that is over before its platform kills the process: pure arithmetic.

use std::time::Duration;

use task_core::Timeout;
use task_manager::{ManagerBuilder, SetTimes};

use super::{Grace, Platform, PlatformError, detect::GRACE, error::Problem};

#[cfg(test)]
mod tests;

/// How long the last output may take: after the hard exit began, and after the report was made.
const LAST_OUTPUT: Duration = Duration::from_secs(1);
/// The least time for tasks, which is the manager's rule.
const SHORTEST_STOP: Duration = Duration::from_millis(100);

/// What holds on a platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fit {
    pub(crate) grace: Duration,
    pub(crate) total: Duration,
    pub(crate) drain: Duration,
}

/// What is kept for the end after the shutdown timeout: either the hard exit, `HARD_EXIT_DELAY`
/// later and with its output, or, from the report on, the code of the error, which may take as
/// long, and beside each other the last output and the drop of the runtime.
pub(super) fn reserve(drop_timeout: Duration) -> Duration {
    ManagerBuilder::HARD_EXIT_DELAY.saturating_add(LAST_OUTPUT.max(drop_timeout))
}

impl Platform {
    /// Fits the times that are set, and sets those that are not.
    ///
    /// After the shutdown timeout comes the [`reserve`].
    pub(super) fn fit(&self, set: SetTimes, drop_timeout: Duration) -> Result<Fit, PlatformError> {
        let fit = || {
            let (grace, before_signal) = (self.read_grace()?, self.before_signal);
            let reserve = reserve(drop_timeout);
            let most = grace.checked_sub(before_signal.saturating_add(reserve));
            let Some(most) = most.filter(|most| *most >= SHORTEST_STOP) else {
                return Err(Problem::NoTime { grace, before_signal, reserve });
            };
            let total = match set.shutdown_timeout {
                None => most,
                Some(Timeout::After(set)) if set <= most => set,
                Some(set) => return Err(Problem::TooLong { grace, set, most }),
            };
            // A hook that sleeps before the signal has done what a drain is for.
            let drain = if before_signal.is_zero() { self.drain } else { Duration::ZERO };
            let drain = set.drain_delay.unwrap_or(drain.min(total / 4));
            let cleanup = set.cleanup_timeout;
            let kept = drain.saturating_add(cleanup.unwrap_or_default());
            let stop = total.checked_sub(kept).filter(|stop| *stop >= SHORTEST_STOP);
            let Some(stop) = stop else {
                return Err(Problem::NoTimeToStop { total, drain, cleanup });
            };
            match set.longest_phase_timeout.filter(|(_, limit)| *limit > stop) {
                Some((phase, limit)) => Err(Problem::PhaseTooLong { phase, limit, most: stop }),
                None => Ok(Fit { grace, total, drain }),
            }
        };
        fit().map_err(|problem| PlatformError { platform: self.name.to_string(), problem })
    }

    fn read_grace(&self) -> Result<Duration, Problem> {
        match &self.grace {
            Grace::Default(grace) | Grace::Set(grace) => Ok(*grace),
            Grace::Variable(text) => {
                let seconds = text.trim().parse().map_err(|_| Problem::NoNumber(text.clone()))?;
                Ok(Duration::from_secs(seconds))
            }
        }
    }

    /// Returns who says how long the grace is.
    pub(super) fn grace_from(&self) -> &'static str {
        match self.grace {
            Grace::Default(_) => "the platform's default",
            Grace::Set(_) => "the program",
            Grace::Variable(_) => GRACE,
        }
    }
}
