//! How long a pod of the service has to be granted for its stop: the other way round than
//! [`fit`](super::fit), and checked by it.

use std::time::Duration;

use task_core::Timeout;
use task_manager::SetTimes;

use super::{Choice, Platform, PlatformError, fit};

/// The default of `shutdown_timeout` in `task-manager`.
const SHUTDOWN: Duration = Duration::from_secs(25);

/// What a manifest says about the stop of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PodStop {
    /// What is over before the signal comes, in whole seconds.
    pub(crate) hook: Duration,
    /// From the signal to the kill.
    after_signal: Duration,
    /// Whether the service reads its grace from the environment.
    pub(crate) is_detected: bool,
}

impl PodStop {
    /// How long after the beginning of the stop the pod may be killed.
    pub(crate) fn grace(&self) -> Duration {
        self.hook.saturating_add(self.after_signal)
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
            let grace = platform.fit(set, drop_timeout)?.grace;
            return Ok(PodStop {
                hook: whole(platform.before_signal),
                after_signal: grace.saturating_sub(platform.before_signal),
                is_detected: false,
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
        Platform::kubernetes().grace(after_signal).fit(set, drop_timeout)?;
        Ok(PodStop { hook: Duration::ZERO, after_signal, is_detected })
    }
}

fn whole(time: Duration) -> Duration {
    Duration::from_secs(time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0)))
}
