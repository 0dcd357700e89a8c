//! The settings of a service on its platform, and the line in the log that says what they are.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use task_core::scope::seconds;
use task_manager::ManagerBuilder;
use task_signal::SignalTaskBuilder;

use super::{Fit, Platform, PlatformError};

/// What was asked for.
#[derive(Debug, Default)]
pub(crate) enum Choice {
    /// Nothing: the defaults hold.
    #[default]
    None,
    /// A platform that was not recognised: the defaults hold.
    Unknown,
    Known(Platform),
}

/// What holds, for the log.
#[derive(Debug)]
pub(crate) enum Chosen {
    /// The defaults, since no platform was recognised.
    Defaults,
    Fitted(Fitted),
}

#[derive(Debug)]
pub(crate) struct Fitted {
    platform: Platform,
    fit: Fit,
    is_total_set: bool,
    is_drain_set: bool,
    has_signals: bool,
}

impl Choice {
    /// Returns the file for the message of the end, if there is one on this platform.
    pub(crate) fn message_file(&self) -> Option<PathBuf> {
        match self {
            Self::Known(platform) => platform.message_file(),
            Self::None | Self::Unknown => None,
        }
    }

    /// Sets what is not set, and checks what is.
    pub(crate) fn apply(
        self,
        manager: &mut ManagerBuilder,
        signals: &mut Option<SignalTaskBuilder>,
        drop_timeout: Duration,
    ) -> Result<Option<Chosen>, PlatformError> {
        let platform = match self {
            Self::None => return Ok(None),
            Self::Unknown => return Ok(Some(Chosen::Defaults)),
            Self::Known(platform) => platform,
        };
        let set = manager.times();
        let fit = platform.fit(set, drop_timeout)?;
        *manager = manager.clone().shutdown_timeout(fit.total).drain_delay(fit.drain);
        *signals = signals
            .take()
            .map(|signals| signals.required_signals(platform.signals.iter().copied()));
        Ok(Some(Chosen::Fitted(Fitted {
            platform,
            fit,
            is_total_set: set.shutdown_timeout.is_some(),
            is_drain_set: set.drain_delay.is_some(),
            has_signals: signals.is_some(),
        })))
    }
}

impl Chosen {
    /// Writes the line.
    pub(crate) fn log(&self, termination_log: Option<&Path>) {
        match self {
            Self::Defaults => {
                tracing::info!(target: "task", "no platform recognised: the defaults hold");
            }
            Self::Fitted(fitted) => fitted.log(termination_log),
        }
    }
}

impl Fitted {
    fn log(&self, termination_log: Option<&Path>) {
        let Self { platform, fit, .. } = self;
        let from = |is_set| if is_set { "the program" } else { "the platform" };
        let signals: Vec<_> = platform.signals.iter().map(|signal| signal.name()).collect();
        let signals = match self.has_signals {
            true => signals.join(", "),
            false => "not handled by the service".to_owned(),
        };
        let hard_exit = fit.total.saturating_add(ManagerBuilder::HARD_EXIT_DELAY);
        tracing::info!(
            target: "task",
            platform = platform.name(),
            chosen_by = platform.chosen_by,
            grace = seconds(fit.grace),
            grace_from = platform.grace_from(),
            before_signal = seconds(platform.before_signal),
            shutdown_timeout = seconds(fit.total),
            shutdown_timeout_from = from(self.is_total_set),
            drain_delay = seconds(fit.drain),
            drain_delay_from = from(self.is_drain_set),
            hard_exit = seconds(hard_exit),
            signals,
            termination_log = termination_log.map(|path| path.display().to_string()),
            "shutdown fits the platform",
        );
    }
}
