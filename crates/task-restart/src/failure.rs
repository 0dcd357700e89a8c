//! How a run failed. The user's error is handled with care: it may panic when it is formatted or
//! dropped, and its text may be of any length.

use std::{
    any::Any,
    fmt::{self, Write as _},
    panic::resume_unwind,
};

use task_core::{
    Cancelled, Context, Panic,
    scope::{catch, discard},
};

/// How much of a text is kept, in bytes.
const MAX_TEXT: usize = 256;

/// How a run failed.
pub(crate) enum Failure {
    Error(anyhow::Error),
    Panic(Panic),
}

impl Failure {
    /// `Cancelled` is a failure where nobody asked the run to end. Kept as it is, it would pass for
    /// a clean end if it became the task's own error later.
    pub(crate) fn from_error(error: anyhow::Error) -> Self {
        let is_cancelled = catch(|| Cancelled::is_outermost_in(&error)).unwrap_or(false);
        if is_cancelled {
            let mut text = String::new();
            write_error(&error, &mut text);
            discard(error);
            return Self::Error(anyhow::Error::msg(text));
        }
        Self::Error(error)
    }

    pub(crate) fn from_payload(payload: Box<dyn Any + Send>) -> Self {
        match catch(|| resume_unwind(payload)) {
            Ok(()) => Self::Error(anyhow::Error::msg("panicked")), // not reached
            Err(panic) => Self::Panic(panic),
        }
    }

    /// Writes the failure with all causes, as far as it is kept.
    pub(crate) fn write(&self, text: &mut String) {
        text.clear();
        match self {
            Self::Error(error) => write_error(error, text),
            Self::Panic(panic) => {
                let _ = write!(Bounded(text), "{panic}");
            }
        }
    }

    /// Makes it the failure of the task.
    pub(crate) fn into_error(self) -> anyhow::Error {
        match self {
            Self::Error(error) => error,
            Self::Panic(panic) => panic.into(),
        }
    }

    /// Counts it in the view, or records it in the report.
    pub(crate) fn survive(self, ctx: &Context, is_recorded: bool) {
        match self {
            Self::Error(error) if is_recorded => ctx.record_failure(error),
            Self::Panic(panic) if is_recorded => ctx.record_panic(panic),
            Self::Error(error) => {
                ctx.count_failure();
                discard(error);
            }
            Self::Panic(_) => ctx.count_failure(),
        }
    }
}

fn write_error(error: &anyhow::Error, text: &mut String) {
    if catch(|| write!(Bounded(text), "{error:#}")).is_err() {
        text.clear();
        text.push_str("(its Display panicked)");
    }
}

/// Takes the beginning of a text, and refuses the rest.
struct Bounded<'a>(&'a mut String);

impl fmt::Write for Bounded<'_> {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        let room = MAX_TEXT - self.0.len().min(MAX_TEXT);
        if part.len() <= room {
            self.0.push_str(part);
            return Ok(());
        }
        let fits = (0..=room).rev().find(|end| part.is_char_boundary(*end)).unwrap_or(0);
        self.0.push_str(&part[..fits]);
        Err(fmt::Error)
    }
}
