//! The task that runs an action at each signal.

use std::{borrow::Cow, collections::BTreeMap, fmt, future::poll_fn, task::Poll};

use anyhow::Context as _;
use task_core::{Cancelled, Context, Phase, Task};

use crate::{
    LogLevel, OnFailure, Signal, SignalError, SignalTriggerBuilder, action::Action, lease::Tenant,
    log, platform::Pulse, task::waiting_for,
};

/// Runs actions at each signal, `SIGHUP` unless told otherwise: to read the configuration again, open log files anew,
/// load certificates.
///
/// ```
/// # use task_signal::SignalTrigger;
/// # async fn load() -> anyhow::Result<()> { Ok(()) }
/// # fn main() -> Result<(), task_signal::SignalError> {
/// let reload = SignalTrigger::new("configuration", |_ctx| load())?;
/// # Ok(())
/// # }
/// ```
///
/// # Which signal leads to which run
///
/// Signals are captured from the constructor on. After each one there is a run that starts after it; several that come
/// before that run starts share it, so a burst leads to at least one and seldom more than two. However many come
/// during a run, exactly one more follows. Runs never overlap. Of different signals that share a run, each is recorded and
/// logged.
///
/// From the drain on, signals have no effect: they neither start a run nor end the process. A run that is under way
/// then goes on to its end, or to the task's deadline. Once the report is made, or if this value is dropped without
/// having run, the signals act by default again; in that latter case also those that have come already.
///
/// # When an action fails
///
/// By default the failure is logged as an error, the task goes on, and the group's report stays clean; see
/// [`OnFailure`]. A panic counts like an error. The task's status tells how often it has run and how the last run ended.
///
/// It is a task of the [support phase](Phase::SUPPORT), so a group completes beside it once its other work is done.
#[must_use = "a task does nothing until a manager runs it, and dropping it lets the signals go"]
pub struct SignalTrigger {
    pub(crate) name: Cow<'static, str>,
    pub(crate) captured: Vec<Signal>,
    pub(crate) ignored: Vec<Signal>,
    pub(crate) actions: Vec<Action>,
    pub(crate) on_failure: OnFailure,
    pub(crate) log_level: LogLevel,
    pub(crate) tenant: Tenant,
    /// After the tenant, so that what has come acts by default once the signals are let go.
    pub(crate) pulse: Pulse,
}

impl SignalTrigger {
    /// Captures `SIGHUP`, to run `action` at it, with the default settings. `name` is the action's; the task's is
    /// `trigger`, or what [`SignalTriggerBuilder::name`] says.
    ///
    /// # Errors
    ///
    /// As [`SignalTriggerBuilder::build`]; on Windows always, since there is no `SIGHUP`.
    pub fn new<F, Fut>(name: impl Into<Cow<'static, str>>, action: F) -> Result<Self, SignalError>
    where
        F: FnMut(Context) -> Fut + Send + 'static,
        Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        Self::builder().action(name, action).build()
    }

    /// Returns the settings, to change them.
    pub fn builder() -> SignalTriggerBuilder {
        SignalTriggerBuilder::new()
    }

    /// Returns the signals that are captured: those asked for, without those that stay ignored.
    pub fn signals(&self) -> &[Signal] {
        &self.captured
    }
}

impl Task for SignalTrigger {
    /// Returns what the builder was given, or `trigger`.
    fn name(&self) -> Cow<'static, str> {
        self.name.clone()
    }

    /// Returns [`Phase::SUPPORT`].
    fn phase(&self) -> Phase {
        Phase::SUPPORT
    }

    /// Runs the actions at each signal until the group stops.
    ///
    /// # Errors
    ///
    /// The failure of an action, if set to fail with it; that the signals could not be listened to.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime, and in one without an I/O driver.
    async fn run(self, ctx: Context) -> anyhow::Result<()> {
        let Self { name: _, captured, ignored, actions, on_failure, log_level, pulse, mut tenant } =
            self;
        log::ignored(log_level, &ignored);
        ctx.set_status(waiting_for(&captured));
        tenant.serve(&ctx);
        let mut listener = pulse.listen().context("failed to listen to signals")?;
        let mut runs = Runs { actions, on_failure, count: 0 };
        let mut counts = BTreeMap::<Signal, u64>::new();
        loop {
            let come = pulse.take();
            if come.is_empty() {
                if ctx.or_cancelled(listener.next()).await.is_err() {
                    return Ok(());
                }
                continue;
            }
            if ctx.is_draining() {
                come.iter().for_each(|signal| log::not_triggered(log_level, *signal));
                if ctx.is_cancelled() {
                    return Ok(());
                }
            } else {
                for signal in come {
                    let count = counts.entry(signal).or_default();
                    *count += 1;
                    ctx.record_signal(signal.name(), *count);
                    log::triggered(log_level, signal, runs.count + 1);
                }
                runs.run(&ctx).await?;
            }
            // Signals may come faster than an action without an await takes, or a line in the log.
            yield_now().await;
        }
    }
}

impl fmt::Debug for SignalTrigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignalTrigger")
            .field("name", &self.name)
            .field("signals", &self.captured)
            .field("actions", &self.actions)
            .finish_non_exhaustive()
    }
}

/// The actions, and how often they have run.
struct Runs {
    actions: Vec<Action>,
    on_failure: OnFailure,
    count: u64,
}

impl Runs {
    async fn run(&mut self, ctx: &Context) -> anyhow::Result<()> {
        self.count += 1;
        let run = self.count;
        let mut failure = None;
        for action in &mut self.actions {
            ctx.set_status(format!("run {run}: `{}`", action.name()));
            let Err(error) = action.run(ctx).await else { continue };
            if ctx.is_cancelled() && Cancelled::is_outermost_in(&error) {
                return Err(error);
            }
            let error = error.context(format!("action `{}` failed", action.name()));
            if self.on_failure == OnFailure::Fail {
                return Err(error);
            }
            log::action_failed(action.name(), run, &error);
            failure.get_or_insert_with(|| format!("{error:#}"));
            if self.on_failure == OnFailure::Record {
                ctx.record_failure(error);
            }
        }
        let times = if run == 1 { "once".to_owned() } else { format!("{run} times") };
        ctx.set_status(match failure {
            None => format!("ran {times}, last: ok"),
            Some(failure) => format!("ran {times}, last: {failure}"),
        });
        Ok(())
    }
}

async fn yield_now() {
    let mut has_yielded = false;
    poll_fn(|cx| {
        if !std::mem::replace(&mut has_yielded, true) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(())
    })
    .await;
}
