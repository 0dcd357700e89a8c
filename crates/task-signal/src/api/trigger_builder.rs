//! The settings of a [`SignalTrigger`].

use std::borrow::Cow;

use task_core::Context;

use super::{SignalTrigger, action::Action};
use crate::{
    capture::Settings,
    values::{
        AfterEnd, ErrorKind, IgnoredSignals, LogLevel, OnActionError, Signal, SignalError,
        SignalSet,
    },
};

/// Builds a [`SignalTrigger`]; made by [`SignalTrigger::builder`].
///
/// The signals are captured by [`build`](Self::build), which needs all settings and checks them.
///
/// # Examples
///
/// ```
/// use task_signal::{OnActionError, Signal, SignalTrigger};
///
/// # async fn reopen() -> anyhow::Result<()> { Ok(()) }
/// # async fn load() -> anyhow::Result<()> { Ok(()) }
/// # fn main() -> Result<(), task_signal::SignalError> {
/// # #[cfg(unix)]
/// let reload = SignalTrigger::builder()
///     .name("reload")
///     .signals([Signal::HUP, Signal::USR2])
///     .action("log files", |_ctx| reopen())
///     .action("configuration", |_ctx| load())
///     .on_action_error(OnActionError::Record)
///     .build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "call `build` to capture the signals"]
pub struct SignalTriggerBuilder {
    settings: Settings,
    actions: Vec<Action>,
    on_action_error: OnActionError,
}

impl SignalTriggerBuilder {
    pub(super) fn new() -> Self {
        let (name, signals) = ("trigger".into(), SignalSet::from_iter([Signal::HUP]));
        let settings = Settings { name, signals, ..Settings::default() };
        Self { settings, actions: Vec::new(), on_action_error: OnActionError::default() }
    }

    /// Sets the task's name. Default: `trigger`.
    pub fn name(self, name: impl Into<Cow<'static, str>>) -> Self {
        Self { settings: Settings { name: name.into(), ..self.settings }, ..self }
    }

    /// Sets the signals that trigger a run, and replaces those set before. Each of them does.
    /// Default: [`HUP`](Signal::HUP).
    pub fn signals<S: Into<Signal>>(self, signals: impl IntoIterator<Item = S>) -> Self {
        let signals = signals.into_iter().map(Into::into).collect();
        Self { settings: Settings { signals, ..self.settings }, ..self }
    }

    /// Adds an action. A run goes through the actions one after the other, in the order in which
    /// they were added.
    ///
    /// Unless [`OnActionError::Fail`] is set, the later actions run even if an earlier one fails,
    /// so steps that depend on each other belong into one action. They are skipped if an earlier
    /// one returns [`Cancelled`](task_core::Cancelled) once the task is stopped. Default: none, and
    /// at least one is required.
    pub fn action<F, Fut>(mut self, name: impl Into<Cow<'static, str>>, action: F) -> Self
    where
        F: FnMut(Context) -> Fut + Send + 'static,
        Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        self.actions.push(Action::new(name.into(), action));
        self
    }

    /// Sets what happens if an action fails or panics. Default: [`OnActionError::Continue`].
    pub fn on_action_error(self, on_action_error: OnActionError) -> Self {
        Self { on_action_error, ..self }
    }

    /// Sets what happens to signals that are ignored when the process first captures them.
    /// Default: [`IgnoredSignals::Keep`].
    pub fn ignored(self, ignored: IgnoredSignals) -> Self {
        Self { settings: Settings { ignored, ..self.settings }, ..self }
    }

    /// Sets what the signals do after the end of the group. Default: [`AfterEnd::DefaultAction`].
    pub fn after_end(self, after_end: AfterEnd) -> Self {
        Self { settings: Settings { after_end, ..self.settings }, ..self }
    }

    /// Sets the level of the line about a signal that arrived. Default: [`LogLevel::Info`].
    pub fn log_level(self, log_level: LogLevel) -> Self {
        Self { settings: Settings { log_level, ..self.settings }, ..self }
    }

    /// Captures the signals. One that arrives before the task runs leads to a run when it does.
    ///
    /// # Errors
    ///
    /// A [`SignalError`] if there are no signals or no actions, if a number is not a signal of this
    /// platform or must not be captured, or if the system refuses. No signal stays captured then.
    pub fn build(self) -> Result<SignalTrigger, SignalError> {
        let Self { settings, actions, on_action_error } = self;
        if actions.is_empty() {
            return Err(ErrorKind::NoActions.into());
        }
        let (mut capture, inbox) = settings.capture()?;
        capture.unread = Some(inbox);
        Ok(SignalTrigger { actions, on_action_error, capture })
    }
}
