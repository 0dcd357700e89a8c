//! The task that reports its group to systemd.

use std::{borrow::Cow, sync::Arc, time::Duration};

use anyhow::ensure;
use task_core::{Context, Phase, Step, Task};
use tokio::time::{Instant, timeout_at};
use tracing::debug;

use crate::{
    channel::Channel,
    environment::Environment,
    error::SystemdError,
    notifier::Notifier,
    platform::NotifySocket,
    protocol::{Extending, PAUSE},
};

/// The interval without a watchdog: for the call at the end alone.
const SELDOM: Duration = Duration::from_secs(24 * 60 * 60);
/// How many beats there are in the time of the watchdog: that the runtime is blocked is found at
/// the end of the second one without a sign of it, and said well before systemd ends the process.
const BEATS: u32 = 4;
/// How long the end waits for systemd, within what a `wait` allows for it.
const LAST: Duration = Duration::from_millis(200);

/// Reports its group to systemd: that it is ready, what it does, that it stops and why, and that it
/// is alive.
///
/// Outside of systemd, where `NOTIFY_SOCKET` is not set, it does nothing, and says so in one line
/// of the log at level debug. Nothing that systemd does or leaves undone fails or blocks the
/// service: messages that cannot be sent are kept, up to 64, and sent later.
///
/// | message | when |
/// |---|---|
/// | `READY=1` | once, when the group is [ready](task_core::Readiness) for the first time; never taken back, since systemd knows no service that is no longer ready |
/// | `STATUS=` | with each of the others, and whenever what it says has changed, at most once a second: readiness and what keeps it, and during a stop its cause, its time and what it waits for |
/// | `STOPPING=1` | once, when the shutdown begins |
/// | `EXTEND_TIMEOUT_USEC=` | if asked for: see [`extend_start`](Self::extend_start) and [`extend_stop`](Self::extend_stop) |
/// | `WATCHDOG=1` | four times within the unit's `WatchdogSec`, from the start to the end of the last cleanup |
///
/// # Examples
///
/// ```
/// use task_systemd::SystemdTask;
///
/// # fn main() -> Result<(), task_systemd::SystemdError> {
/// let systemd = SystemdTask::new()?;
/// let notifier = systemd.notifier(); // for reloads, and to store sockets
/// // manager.run(systemd)?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use = "a task does nothing until a manager runs it"]
pub struct SystemdTask {
    channel: Option<Arc<Channel>>,
    watchdog: Option<Duration>,
    extending: Extending,
}

impl SystemdTask {
    /// Creates the task by the [environment](Environment::read) of this process.
    ///
    /// # Errors
    ///
    /// If a variable has a value that is not understood, or no socket can be opened. A socket that
    /// nobody listens to is no error: messages wait for it.
    pub fn new() -> Result<Self, SystemdError> {
        Self::with(&Environment::read()?)
    }

    /// Creates the task by an environment that is given.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn with(environment: &Environment) -> Result<Self, SystemdError> {
        let socket = environment.notify_address().map(NotifySocket::open).transpose()?.flatten();
        Ok(Self {
            channel: socket.map(|socket| Arc::new(Channel::new(socket))),
            watchdog: environment.watchdog_time(),
            extending: Extending::default(),
        })
    }

    /// Asks systemd for more time to start, again and again while the runtime works, until the
    /// group is ready or `limit` has passed since the task began. Default: the unit's
    /// `TimeoutStartSec` alone.
    ///
    /// A group that starts slowly is thus not killed as long as its runtime turns. One whose
    /// runtime is blocked is killed at the unit's time, or within ten seconds of the block if that
    /// is later.
    pub fn extend_start(mut self, limit: Duration) -> Self {
        self.extending.start = Some(limit);
        self
    }

    /// Asks systemd, when the shutdown begins, for as much time as the shutdown may take, and two
    /// seconds for the hard exit. Default: the unit's `TimeoutStopSec` alone.
    ///
    /// Without effect on a shutdown that has no limit.
    pub fn extend_stop(mut self) -> Self {
        self.extending.stop = true;
        self
    }

    /// Returns whether there is a systemd to report to.
    pub fn is_active(&self) -> bool {
        self.channel.is_some()
    }

    /// Returns a handle for what a service reports by itself: reloads, and sockets to keep.
    pub fn notifier(&self) -> Notifier {
        Notifier::new(self.channel.clone())
    }
}

impl Task for SystemdTask {
    /// Returns `systemd`.
    fn name(&self) -> Cow<'static, str> {
        "systemd".into()
    }

    /// Returns [`Phase::SUPPORT`]: it reports what the tasks of earlier phases do in the stop.
    fn phase(&self) -> Phase {
        Phase::SUPPORT
    }

    /// Reports until the task is stopped, and from another thread until the group has ended.
    ///
    /// # Errors
    ///
    /// If there is a watchdog and the task has no manager, or the system grants it no thread: then
    /// nothing would feed the watchdog, and systemd would kill the service soon.
    ///
    /// # Panics
    ///
    /// Under systemd, in a runtime without timers.
    async fn run(self, ctx: Context) -> anyhow::Result<()> {
        let Self { channel, watchdog, extending } = self;
        let Some(channel) = channel else {
            debug!("not started by systemd: nothing is reported to it");
            ctx.cancelled().await;
            return Ok(());
        };
        let mut group = ctx.group();
        channel.attach(ctx.group(), extending);
        let beats = watchdog.map(|time| time / BEATS);
        let is_fed = pulse(&ctx, &channel, beats.unwrap_or(SELDOM), watchdog.is_some());
        ensure!(is_fed || watchdog.is_none(), "nothing would feed the watchdog of systemd");
        let mut has_stop_pulse = false;
        loop {
            let is_last = ctx.is_cancelled();
            if group.step() > Step::Running && !has_stop_pulse {
                // This task ends before the cleanups, and is not polled if the runtime is blocked.
                has_stop_pulse = true;
                pulse(&ctx, &channel, PAUSE, false);
            }
            let again = channel.look(Instant::now().into_std(), None);
            channel.report();
            if is_last {
                return Ok(());
            }
            let changed = async {
                match again {
                    // At the time as at a change: look.
                    Some(at) => timeout_at(at.into(), group.changed()).await.unwrap_or_default(),
                    None => group.changed().await,
                }
            };
            // A stop is looked at, too.
            ctx.or_cancelled(changed).await.unwrap_or_default();
        }
    }
}

/// Looks at the group at an interval until it has ended, and feeds the watchdog if there is one.
/// Returns whether it does.
fn pulse(ctx: &Context, channel: &Arc<Channel>, interval: Duration, has_watchdog: bool) -> bool {
    let channel = Arc::clone(channel);
    let pulse = ctx.pulse(interval, move |beat| {
        if has_watchdog && beat.is_alive() {
            channel.beat();
        }
        channel.look(std::time::Instant::now(), beat.stale);
        if beat.step == Step::Ended {
            // What is said last is lost if the process ends before systemd has read it. There are
            // more beats while telemetry is flushed.
            channel.last_barrier(LAST);
        }
    });
    pulse.is_some()
}
