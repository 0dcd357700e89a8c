//! How a manager is configured.

use std::{borrow::Cow, error::Error, fmt, time::Duration};

use crate::{Manager, Timeout, group::shared::Shared, lifecycle::plan::Budgets};

/// The shortest time that the budgets must leave for stopping tasks.
const SHORTEST_STOP: Duration = Duration::from_millis(100);

/// Configures a [`Manager`]; made by [`Manager::builder`].
///
/// ```
/// # use std::time::Duration;
/// # use task_manager::Manager;
/// let manager = Manager::builder()
///     .name("orders")
///     .drain_delay(Duration::from_secs(5))
///     .shutdown_timeout(Duration::from_secs(28))
///     .build()?;
/// # Ok::<(), task_manager::BuildError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "call `build`"]
pub struct ManagerBuilder(pub(crate) Settings);

#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) name: Cow<'static, str>,
    pub(crate) budgets: Budgets,
    pub(crate) only_failures_stop: bool,
    pub(crate) start: Option<Duration>,
    pub(crate) hard_exit: Option<u8>,
    pub(crate) locates_panics: bool,
    #[cfg(feature = "token")]
    pub(crate) parent: Option<tokio_util::sync::CancellationToken>,
}

impl Default for Settings {
    fn default() -> Self {
        let budgets = Budgets {
            total: Timeout::After(Duration::from_secs(25)),
            drain: Duration::ZERO,
            cleanup: Duration::from_secs(5),
            escalated_cleanup: Duration::from_secs(1),
        };
        Self {
            name: Cow::Borrowed("manager"),
            budgets,
            only_failures_stop: false,
            start: None,
            hard_exit: None,
            locates_panics: true,
            #[cfg(feature = "token")]
            parent: None,
        }
    }
}

impl ManagerBuilder {
    pub(crate) fn new() -> Self {
        Self(Settings::default())
    }

    /// Names the manager in logs and reports, and the task that it is within another. Default: `"manager"`.
    pub fn name(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.0.name = name.into();
        self
    }

    /// Limits the whole shutdown, from its trigger to its report: drain, stop and cleanup together. Kubernetes grants
    /// 30 s by default before it kills. Default: 25 s.
    pub fn shutdown_timeout(mut self, total: impl Into<Timeout>) -> Self {
        self.0.budgets.total = total.into();
        self
    }

    /// Sets how long the service goes on working after it has ceased to be ready, so that load balancers can take it
    /// out first; part of the total. Kubernetes users set 5 to 15 s. It ends early when no task below
    /// [`Phase::SUPPORT`](task_core::Phase::SUPPORT) is left, and is skipped after a failure unless an
    /// [`INGRESS`](task_core::Phase::INGRESS) task is alive, and always when the parent stops the group or the manager is
    /// dropped. Default: zero.
    pub fn drain_delay(mut self, delay: Duration) -> Self {
        self.0.budgets.drain = delay;
        self
    }

    /// Sets how long all cleanups together may take; part of the total. Those that no time is left for are not run,
    /// and reported as such. Default: 5 s.
    pub fn cleanup_timeout(mut self, budget: Duration) -> Self {
        self.0.budgets.cleanup = budget;
        self
    }

    /// Sets how long all cleanups together may take once the shutdown was
    /// [told to hurry](task_core::Escalation::Abort). Default: 1 s.
    pub fn escalated_cleanup_timeout(mut self, budget: Duration) -> Self {
        self.0.budgets.escalated_cleanup = budget;
        self
    }

    /// Limits the time from the making of the manager to the first readiness, for which somebody must wait; a group that
    /// is not ready by then is stopped, as a failure. Default: never.
    pub fn start_timeout(mut self, timeout: impl Into<Timeout>) -> Self {
        self.0.start = timeout.into().limit();
        self
    }

    /// Lets only failures stop the group: a critical task's clean end leaves it running like an ephemeral one's. The
    /// group still ends when all its work is done. Default: off, so that any end of a critical task stops the group.
    pub fn only_failures_stop(mut self) -> Self {
        self.0.only_failures_stop = true;
        self
    }

    /// Ends the process with this exit code if, within the total and 1 s, the report could not be made, or nobody has
    /// taken it by a [`wait`](Manager::wait) nor dropped the manager: the last resort against code that blocks the
    /// runtime, as such code also blocks the `main` that would take the report. So whoever asks for it has to wait, for
    /// it comes after a clean shutdown as well. The names of those who are alive go to stderr. Should the exit block for
    /// a second, in a handler that some library registered, the process aborts. Without a total it never comes.
    /// Default: off.
    pub fn hard_exit(mut self, code: u8) -> Self {
        self.0.hard_exit = Some(code);
        self
    }

    /// Leaves the process-wide panic hook alone. Reports then have the message of a panic but not its place. Default:
    /// the first manager installs a hook that notes the place of panics in managed code, and then calls the hook that
    /// was there before.
    pub fn without_panic_hook(mut self) -> Self {
        self.0.locates_panics = false;
        self
    }

    /// Stops the group when this token is cancelled. The token is watched, on the manager's own runtime, and never
    /// cancelled by the manager; where that runtime is gone before the group, it is looked at when a task is run.
    /// Default: none.
    #[cfg(feature = "token")]
    pub fn parent(mut self, token: tokio_util::sync::CancellationToken) -> Self {
        self.0.parent = Some(token);
        self
    }

    /// Makes the manager. Outside of a Tokio runtime, it is tied to the runtime of its first use, and times that are
    /// counted since it was made are counted from then.
    ///
    /// # Errors
    ///
    /// If the drain delay and the cleanup budget leave less than 100 ms of the total for stopping tasks, or if the total,
    /// the drain delay, the cleanup budget, the short cleanup budget or the start timeout is over 100 years.
    pub fn build(self) -> Result<Manager, BuildError> {
        let Budgets { total, drain, cleanup, escalated_cleanup } = self.0.budgets;
        let longest = Duration::from_secs(100 * 365 * 24 * 3_600);
        for (name, value, can_be_never) in [
            ("total", total.limit(), true),
            ("drain delay", Some(drain), false),
            ("cleanup budget", Some(cleanup), false),
            ("short cleanup budget", Some(escalated_cleanup), false),
            ("start timeout", self.0.start, true),
        ] {
            if value.is_some_and(|value| value > longest) {
                return Err(BuildError(Problem::TooLong { name, can_be_never }));
            }
        }
        if let Some(total) = total.limit()
            && total < drain + cleanup + SHORTEST_STOP
        {
            return Err(BuildError(Problem::NoTimeToStop { total, drain, cleanup }));
        }
        Ok(Manager::from_shared(Shared::new(self.0)))
    }
}

/// Why a manager could not be configured like that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildError(Problem);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Problem {
    NoTimeToStop { total: Duration, drain: Duration, cleanup: Duration },
    TooLong { name: &'static str, can_be_never: bool },
}

impl BuildError {
    /// Tells whether the total leaves less than 100 ms for stopping tasks.
    pub fn is_no_time_to_stop(&self) -> bool {
        matches!(self.0, Problem::NoTimeToStop { .. })
    }

    /// Tells whether a time is over 100 years.
    pub fn is_too_long(&self) -> bool {
        matches!(self.0, Problem::TooLong { .. })
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Problem::NoTimeToStop { total, drain, cleanup } => write!(
                f,
                "the total of {total:?} must exceed the drain delay of {drain:?} and the cleanup budget of \
                 {cleanup:?} by {SHORTEST_STOP:?} or more"
            ),
            Problem::TooLong { name, can_be_never } => {
                let never = if *can_be_never { "`Timeout::Never`, or " } else { "" };
                write!(f, "the {name} is over 100 years: say {never}less")
            }
        }
    }
}

impl Error for BuildError {}
