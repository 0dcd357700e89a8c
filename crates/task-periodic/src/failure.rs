//! How a run failed, handled with care: what a user's error or panic carries may panic again when it is formatted or
//! dropped.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
};

use task_core::{
    Cancelled, Context,
    scope::{discard, panic_text},
};

use crate::RunTimedOut;

/// Stands for the text of a panic that has none.
const NO_TEXT: &str = "a payload that is not a text";

/// How a run failed.
pub(crate) enum Failure {
    Error(anyhow::Error),
    Panicked(Box<dyn Any + Send>),
    TimedOut(RunTimedOut),
}

impl Failure {
    /// Tells whether the run ended because the task was asked to.
    pub(crate) fn is_stop(&self, ctx: &Context) -> bool {
        matches!(self, Self::Error(error) if ctx.is_cancelled() && Cancelled::is_outermost_in(error))
    }

    /// Returns the word for it, as the span has it.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Error(_) => "failed",
            Self::Panicked(_) => "panicked",
            Self::TimedOut(_) => "timed out",
        }
    }

    /// Says what went wrong, with all causes, on one line.
    pub(crate) fn text(&self) -> String {
        let text = catch_unwind(AssertUnwindSafe(|| match self {
            Self::Error(error) => format!("{error:#}"),
            Self::Panicked(payload) => {
                format!("panicked: {}", panic_text(payload.as_ref()).unwrap_or(NO_TEXT))
            }
            Self::TimedOut(timed_out) => timed_out.to_string(),
        }));
        text.unwrap_or_else(|payload| {
            discard(payload);
            "an error that panicked when it was written".to_owned()
        })
    }

    /// Makes a value of it, for a task that goes on.
    pub(crate) fn into_error(self) -> anyhow::Error {
        match self {
            Self::Panicked(payload) => {
                let error = anyhow::anyhow!(
                    "panicked: {}",
                    panic_text(payload.as_ref()).unwrap_or(NO_TEXT)
                );
                discard(payload);
                error
            }
            Self::Error(error) => error,
            Self::TimedOut(timed_out) => timed_out.into(),
        }
    }

    /// Ends the task with this failure, the last of `in_a_row`. A panic goes on to the manager, which caught its place
    /// and backtrace when it began.
    pub(crate) fn end(self, in_a_row: u32) -> anyhow::Result<()> {
        let error = match self {
            Self::Panicked(payload) => resume_unwind(payload),
            Self::Error(error) => error,
            Self::TimedOut(timed_out) => timed_out.into(),
        };
        Err(if in_a_row > 1 {
            error.context(format!("{in_a_row} runs in a row failed"))
        } else {
            error
        })
    }
}
