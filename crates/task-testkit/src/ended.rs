//! How a task ended, and what a test asserts of it.

use std::{error::Error, sync::Arc, time::Duration};

use task_core::Outcome;

use crate::{
    event::Event,
    text::{indented, seconds},
};

/// How a task under test ended. Returned by [`TestRun::ended`](crate::TestRun::ended).
///
/// The assertions return the value itself, so that several follow each other. One that fails panics
/// with everything that the task reported, each with its time.
#[derive(Clone, Debug)]
#[must_use = "the outcome may be unclean"]
pub struct Ended {
    pub(crate) outcome: Outcome,
    pub(crate) at: Duration,
    pub(crate) stop_took: Option<Duration>,
    pub(crate) error: Option<Arc<anyhow::Error>>,
    pub(crate) name: String,
    pub(crate) events: Vec<Event>,
}

impl Ended {
    /// Returns how the task ended, judged as a manager judges it.
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// Returns when it ended, as time since the start of the run.
    pub fn at(&self) -> Duration {
        self.at
    }

    /// Returns how long it took to end after it was cancelled or aborted; `None` if it was not.
    pub fn stop_took(&self) -> Option<Duration> {
        self.stop_took
    }

    /// Returns the error of a task that failed, or the [`Panic`](task_core::Panic) of one that
    /// panicked.
    ///
    /// Use `downcast_ref` on it, and `source` for its causes. Neither finds a context, nor what is
    /// in a box of which [`any_error`](task_core::any_error) made the error.
    pub fn error(&self) -> Option<&(dyn Error + 'static)> {
        self.error.as_deref().map(|error| error.as_ref() as _)
    }

    /// Asserts that the task completed, or ended as cancelled.
    ///
    /// # Panics
    ///
    /// If it did not.
    #[track_caller]
    pub fn assert_clean(&self) -> &Self {
        assert!(self.outcome.is_clean(), "{}", self.but("ends cleanly"));
        self
    }

    /// Asserts how the task ended.
    ///
    /// # Panics
    ///
    /// If it ended otherwise.
    #[track_caller]
    pub fn assert_outcome(&self, outcome: Outcome) -> &Self {
        assert!(self.outcome == outcome, "{}", self.but(format_args!("ends as {outcome}")));
        self
    }

    /// Asserts that the task failed or panicked with an error whose text, or that of one of its
    /// causes, contains `text`.
    ///
    /// # Panics
    ///
    /// If it did not.
    #[track_caller]
    pub fn assert_error(&self, text: &str) -> &Self {
        let has_it = self.error.as_ref().is_some_and(|error| format!("{error:#}").contains(text));
        assert!(has_it, "{}", self.but(format_args!("fails with `{text}`")));
        self
    }

    /// Asserts that the task was stopped, and took at most `limit` from then on.
    ///
    /// # Panics
    ///
    /// If it was not stopped, or took longer.
    #[track_caller]
    pub fn assert_stopped_within(&self, limit: Duration) -> &Self {
        let is_in_time = self.stop_took.is_some_and(|took| took <= limit);
        assert!(is_in_time, "{}", self.but(format_args!("stops within {}", seconds(limit))));
        self
    }

    fn but(&self, expected: impl std::fmt::Display) -> String {
        let error = self.error.as_ref().map_or_else(String::new, |error| format!(": {error:#}"));
        let took = self.stop_took.map_or_else(
            || String::from("; it was not stopped"),
            |took| format!("; it took {} to stop", seconds(took)),
        );
        format!(
            "expected that task `{}` {expected}, but it is {}{error}{took}{}",
            self.name,
            self.outcome,
            indented(&self.events),
        )
    }
}
