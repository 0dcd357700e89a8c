//! How long a pod of the service has to be granted for its stop: the other way round than
//! [`fit`](super::fit), and checked by it.

use std::time::Duration;

use task_core::Timeout;
use task_manager::SetTimes;

use super::{Choice, Fit, Grace, MessageFile, Platform, PlatformError, fit};

/// The default of `shutdown_timeout` in `task-manager`.
const SHUTDOWN: Duration = Duration::from_secs(25);
/// The longest default of `cleanup_timeout` there.
const CLEANUPS: Duration = Duration::from_secs(5);

/// What a manifest says about the stop of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PodStop {
    /// What is over before the signal comes, in whole seconds.
    pub(crate) hook: Duration,
    /// From the signal to the kill.
    after_signal: Duration,
    /// Whether the service reads its grace from the environment.
    pub(crate) is_detected: bool,
    /// Whether its platform has a file for the message of its end.
    pub(crate) has_message: bool,
    /// How long its shutdown takes, if no variable says so.
    fit: Fit,
    set: SetTimes,
    drop_timeout: Duration,
}

impl PodStop {
    /// How long after the beginning of the stop the pod may be killed.
    pub(crate) fn grace(&self) -> Duration {
        self.hook.saturating_add(self.after_signal)
    }

    /// What is kept for the end after the shutdown timeout.
    pub(crate) fn reserve(&self) -> Duration {
        fit::reserve(self.drop_timeout)
    }

    /// Whether its shutdown takes what the grace leaves.
    pub(crate) fn takes_all(&self) -> bool {
        self.is_detected && self.set.shutdown_timeout.is_none()
    }

    /// Returns how long the shutdown and its drain take in a pod with this value of the variable
    /// for the grace.
    pub(crate) fn in_pod(&self, variable: Option<&str>) -> Result<Fit, PlatformError> {
        if !self.is_detected {
            return Ok(self.fit);
        }
        let platform = match variable.filter(|text| !text.is_empty()) {
            Some(text) => {
                Platform { grace: Grace::Variable(text.to_owned()), ..Platform::kubernetes() }
            }
            None => Platform::kubernetes(),
        };
        platform.fit(self.set, self.drop_timeout)
    }

    /// How long cleanups have at least, of a shutdown of this length: the manager's rule.
    pub(crate) fn cleanups(&self, total: Duration) -> Duration {
        self.set.cleanup_timeout.unwrap_or((total / 4).min(CLEANUPS))
    }
}

impl Choice {
    /// Returns what a pod takes, if the service would start in it.
    pub(crate) fn pod_stop(
        &self,
        mut set: SetTimes,
        drop_timeout: Duration,
    ) -> Result<PodStop, PlatformError> {
        if let Self::Known(platform) = self
            && platform.is_chosen_by_program()
        {
            let fit = platform.fit(set, drop_timeout)?;
            return Ok(PodStop {
                hook: whole(platform.before_signal),
                after_signal: fit.grace.saturating_sub(platform.before_signal),
                is_detected: false,
                has_message: platform.message_file != MessageFile::None,
                fit,
                set,
                drop_timeout,
            });
        }
        // What was recognised here is not what is recognised in a pod.
        let is_detected = !matches!(self, Self::None);
        if !is_detected {
            set.drain_delay.get_or_insert(Duration::ZERO);
        }
        let total = match set.shutdown_timeout {
            Some(Timeout::After(total)) => total,
            // A shutdown without a limit fits nothing: the error says so.
            Some(Timeout::Never) | None => SHUTDOWN,
        };
        let after_signal = whole(total.saturating_add(fit::reserve(drop_timeout)));
        let fit = Platform::kubernetes().grace(after_signal).fit(set, drop_timeout)?;
        let fit = Fit { total, ..fit };
        let hook = Duration::ZERO;
        let has_message = is_detected;
        Ok(PodStop { hook, after_signal, is_detected, has_message, fit, set, drop_timeout })
    }
}

fn whole(time: Duration) -> Duration {
    Duration::from_secs(time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0)))
}
