//! How a run failed. The user's error or panic payload is handled with care: it may panic when it
//! is formatted or dropped.

use std::{any::Any, panic::resume_unwind};

use task_core::{
    Cancelled, Context,
    scope::{discard, guarded_text, panic_text},
};

use crate::RunTimedOut;

/// How a run failed.
pub(crate) enum Failure {
    Error(anyhow::Error),
    Panicked(Box<dyn Any + Send>),
    TimedOut(RunTimedOut),
}

impl Failure {
    /// Returns whether the run ended because the task was cancelled. By type and not by text, as
    /// for every task.
    pub(crate) fn is_cancellation(&self, ctx: &Context) -> bool {
        matches!(
            self,
            Self::Error(error) if ctx.is_cancelled() && Cancelled::is_outermost_in(error)
        )
    }

    /// Returns the value of the span's field `outcome`.
    pub(crate) fn outcome(&self) -> &'static str {
        match self {
            Self::Error(_) => "failed",
            Self::Panicked(_) => "panicked",
            Self::TimedOut(_) => "timed out",
        }
    }

    /// Formats the failure with all causes, on one line.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Error(error) => guarded_text(format_args!("{error:#}")),
            Self::Panicked(payload) => guarded_text(panic_message(payload.as_ref())),
            Self::TimedOut(timed_out) => timed_out.to_string(),
        }
    }

    /// Converts the failure to an error, for a task that continues.
    pub(crate) fn into_error(self) -> anyhow::Error {
        match self {
            Self::Panicked(payload) => {
                let error = anyhow::Error::msg(panic_message(payload.as_ref()));
                discard(payload);
                error
            }
            Self::Error(error) => error,
            Self::TimedOut(timed_out) => timed_out.into(),
        }
    }

    /// Ends the task with this failure, the last of `in_a_row`.
    ///
    /// A panic is resumed: the manager recorded its location and backtrace when it began.
    pub(crate) fn into_result(self, in_a_row: u32) -> anyhow::Result<()> {
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

fn panic_message(payload: &(dyn Any + Send)) -> String {
    format!("panicked: {}", panic_text(payload))
}
