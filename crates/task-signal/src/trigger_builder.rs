//! How a [`SignalTrigger`] is put together.

use std::borrow::Cow;

use task_core::Context;

use crate::{
    AfterEnd, IgnoredSignals, LogLevel, OnFailure, Signal, SignalError, SignalTrigger,
    action::Action,
    error::ErrorKind,
    lease::{Lease, Tenant},
    platform::{Claim, Pulse, check},
};

/// Settings of a [`SignalTrigger`]: what [`SignalTrigger::builder`] returns.
#[derive(Debug)]
#[must_use = "call `build` to capture the signals"]
pub struct SignalTriggerBuilder {
    name: Cow<'static, str>,
    signals: Vec<Signal>,
    actions: Vec<Action>,
    on_failure: OnFailure,
    ignored: IgnoredSignals,
    after_end: AfterEnd,
    log_level: LogLevel,
}

impl SignalTriggerBuilder {
    pub(crate) fn new() -> Self {
        Self {
            name: Cow::Borrowed("trigger"),
            signals: vec![Signal::HUP],
            actions: Vec::new(),
            on_failure: OnFailure::default(),
            ignored: IgnoredSignals::default(),
            after_end: AfterEnd::default(),
            log_level: LogLevel::default(),
        }
    }

    /// The task's name. Default: `trigger`.
    pub fn name(self, name: impl Into<Cow<'static, str>>) -> Self {
        Self { name: name.into(), ..self }
    }

    /// The signals that trigger a run, in the place of those set before; any of them will do.
    /// Default: [`HUP`](Signal::HUP).
    pub fn signals<S: Into<Signal>>(self, signals: impl IntoIterator<Item = S>) -> Self {
        Self { signals: signals.into_iter().map(Into::into).collect(), ..self }
    }

    /// Adds an action. A run goes through them one after the other, in the order in which they were added, and one that
    /// fails does not keep the later ones from running unless [`OnFailure::Fail`] is set; steps that build on each other
    /// belong into one action. Default: none, and there must be one.
    pub fn action<F, Fut>(mut self, name: impl Into<Cow<'static, str>>, action: F) -> Self
    where
        F: FnMut(Context) -> Fut + Send + 'static,
        Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        self.actions.push(Action::new(name.into(), action));
        self
    }

    /// What happens when an action fails or panics. Default: [`OnFailure::Continue`].
    pub fn on_failure(self, on_failure: OnFailure) -> Self {
        Self { on_failure, ..self }
    }

    /// What becomes of signals that are ignored when the process first captures them.
    /// Default: [`IgnoredSignals::Keep`].
    pub fn ignored(self, ignored: IgnoredSignals) -> Self {
        Self { ignored, ..self }
    }

    /// What the signals do once the report is made. Default: [`AfterEnd::DefaultAction`].
    pub fn after_end(self, after_end: AfterEnd) -> Self {
        Self { after_end, ..self }
    }

    /// The level of the line that says that a signal has come. Default: [`LogLevel::Info`].
    pub fn log_level(self, level: LogLevel) -> Self {
        Self { log_level: level, ..self }
    }

    /// Captures the signals. One that comes before the task runs leads to a run as soon as it does.
    ///
    /// # Errors
    ///
    /// A [`SignalError`] if there are no signals or no actions, a number is no signal here or must not be captured, or
    /// the system refuses. Nothing stays captured then.
    pub fn build(self) -> Result<SignalTrigger, SignalError> {
        let Self { name, mut signals, actions, on_failure, ignored, after_end, log_level } = self;
        if signals.is_empty() {
            return Err(ErrorKind::NoSignals.into());
        }
        if actions.is_empty() {
            return Err(ErrorKind::NoActions.into());
        }
        signals.iter().try_for_each(|signal| check(*signal))?;
        signals.sort_unstable();
        signals.dedup();
        let (claim, pulse) = Claim::take(&signals, ignored, after_end, Pulse::register)
            .map_err(ErrorKind::Capture)?;
        let captured = claim.signals().to_vec();
        signals.retain(|signal| !captured.contains(signal));
        let tenant = Tenant::new(Lease::new(claim, None));
        Ok(SignalTrigger {
            name,
            captured,
            ignored: signals,
            actions,
            on_failure,
            log_level,
            pulse,
            tenant,
        })
    }
}
