//! The task that runs actions at each signal.

use std::{borrow::Cow, mem};

use anyhow::Context as _;
use task_core::{Cancelled, Context, Phase, Task, scope::guarded_text};
use tokio::task::yield_now;

use super::{SignalTriggerBuilder, action::Action};
use crate::{
    capture::Capture,
    log,
    platform::Listener,
    values::{OnActionError, Signal, SignalError, SignalMap},
};

/// Runs actions at each signal, by default at `SIGHUP`: to reload the configuration, reopen log
/// files, load certificates.
///
/// # Which signal leads to which run
///
/// Signals are captured from the constructor on. After each signal there is a run that starts after
/// it; several signals that arrive before that run starts share it. So a burst leads to at least
/// one run and seldom to more than two, and however many signals arrive during a run, exactly one
/// more run follows. Runs never overlap. If different signals share a run, each is recorded and
/// logged.
///
/// Actions run in the task's future, so none runs while every worker of the runtime is blocked.
///
/// # Shutdown
///
/// From the drain on, signals have no effect: they neither start a run nor end the process. A run
/// in progress continues, with its later actions, until it ends or the task's deadline has passed.
/// An action ends it sooner if it returns [`Cancelled`] once the task is stopped. After the report
/// the signals have their [default action](crate::AfterEnd) again, and also if this value is
/// dropped without having run; in that case those that arrived already act by default then. While
/// a [`CaptureGuard`](crate::CaptureGuard) lives, they go on having none, and lead to a run of the
/// next trigger that captures them.
///
/// The task belongs to the [support phase](Phase::SUPPORT), so a group completes beside it once its
/// other work is done.
///
/// # When an action fails
///
/// By default the failure is logged as an error, the task continues, and the group's report stays
/// clean; see [`OnActionError`]. A panic counts like an error. The task's status has the number of
/// runs and the outcome of the last one.
///
/// [`Cancelled`], under any number of contexts, is no failure once the task is stopped. The run and
/// the task end with it at once: later actions are skipped, and it is neither logged nor recorded.
/// Before the stop it is a failure like any other error.
///
/// # Examples
///
/// ```
/// use task_signal::SignalTrigger;
///
/// # async fn load() -> anyhow::Result<()> { Ok(()) }
/// # fn main() -> Result<(), task_signal::SignalError> {
/// # #[cfg(unix)]
/// let reload = SignalTrigger::new("configuration", |_ctx| load())?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a task does nothing until a manager runs it, and dropping it releases the signals"]
pub struct SignalTrigger {
    pub(super) actions: Vec<Action>,
    pub(super) on_action_error: OnActionError,
    pub(super) capture: Capture,
}

impl SignalTrigger {
    /// Captures `SIGHUP`, to run `action` at it, with the default settings. `name` is the name of
    /// the task and of its one action.
    ///
    /// # Errors
    ///
    /// As [`SignalTriggerBuilder::build`]; on Windows always, since it has no `SIGHUP`.
    pub fn new<F, Fut>(name: impl Into<Cow<'static, str>>, action: F) -> Result<Self, SignalError>
    where
        F: FnMut(Context) -> Fut + Send + 'static,
        Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let name = name.into();
        Self::builder().name(name.clone()).action(name, action).build()
    }

    /// Returns a builder with the default settings.
    pub fn builder() -> SignalTriggerBuilder {
        SignalTriggerBuilder::new()
    }

    /// Returns the captured signals: those that were asked for, without those that stay ignored.
    pub fn signals(&self) -> &[Signal] {
        &self.capture.signals
    }
}

impl Task for SignalTrigger {
    /// Returns the name that was given, or `trigger`.
    fn name(&self) -> Cow<'static, str> {
        self.capture.name.clone()
    }

    /// Returns [`Phase::SUPPORT`].
    fn phase(&self) -> Phase {
        Phase::SUPPORT
    }

    /// Runs the actions at each signal until the task is stopped.
    ///
    /// # Errors
    ///
    /// The failure of an action, if [`OnActionError::Fail`] is set; the [`Cancelled`] of an action,
    /// once the task is stopped; or the system's refusal to deliver signals to the runtime.
    ///
    /// # Panics
    ///
    /// Outside a Tokio runtime, and in one without an I/O driver.
    async fn run(self, ctx: Context) -> anyhow::Result<()> {
        let Self { mut actions, on_action_error, mut capture } = self;
        capture.serve(&ctx);
        log::inherited(capture.log_level, &mem::take(&mut capture.inherited));
        let listener = Listener::new(&capture.signals);
        let mut listener = listener.context("failed to listen to signals")?;
        let (log_level, mut runs, mut counts) = (capture.log_level, 0, SignalMap::new());
        // It stays in the capture, which keeps it for the time after this task.
        let inbox = capture.unread.as_mut().context("the trigger has run before")?;
        loop {
            let arrived = inbox.take();
            if ctx.is_draining() {
                arrived.signals().for_each(|signal| log::not_triggered(log_level, signal));
            } else if !arrived.is_empty() {
                runs += 1;
                for signal in arrived.signals() {
                    let count = counts.get_or_insert(signal, 0);
                    *count += 1;
                    ctx.record_signal(signal.name(), *count);
                    log::triggered(log_level, signal, runs);
                }
                run(&mut actions, on_action_error, runs, &ctx).await?;
            }
            // Signals may arrive faster than they are handled, and then nothing below waits.
            yield_now().await;
            if ctx.is_cancelled() || ctx.or_cancelled(listener.arrived(inbox)).await.is_err() {
                return Ok(());
            }
        }
    }
}

/// Runs all actions, for the time with the number `run`.
async fn run(
    actions: &mut [Action],
    on_action_error: OnActionError,
    run: u64,
    ctx: &Context,
) -> anyhow::Result<()> {
    let mut failure = None;
    for action in actions {
        ctx.set_status(format!("run {run}: `{}`", action.name()));
        let Err(error) = action.run(ctx).await else { continue };
        if ctx.is_cancelled() && Cancelled::is_outermost_in(&error) {
            return Err(error);
        }
        let error = error.context(format!("action `{}` failed", action.name()));
        if on_action_error == OnActionError::Fail {
            return Err(error);
        }
        log::action_failed(action.name(), run, &error);
        failure.get_or_insert_with(|| guarded_text(format_args!("{error:#}")));
        if on_action_error == OnActionError::Record {
            ctx.record_failure(error);
        }
    }
    ctx.set_status(format!("runs: {run}, last: {}", failure.as_deref().unwrap_or("ok")));
    Ok(())
}
