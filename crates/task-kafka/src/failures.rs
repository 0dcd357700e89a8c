//! The failures of one run of the task, none of which may hide another.

use std::panic::resume_unwind;

use anyhow::anyhow;
use task_core::{Cancelled, Context};
use tokio::task::JoinError;

use crate::panics::Panic;

/// How a part of the task ended.
pub(crate) type Ended = Result<anyhow::Result<()>, Panic>;

/// Collects failures in their order.
///
/// The first one fails the task at once, if its scope can do that: the group stops while the task
/// still settles and commits. Of the others the task can return only the last one. Each earlier one
/// is recorded in the report when the next is added, so that the report lists the first one first.
/// A panic is resumed at the end, after all steps of the stop.
pub(crate) struct Failures<'a> {
    ctx: &'a Context,
    last: Option<anyhow::Error>,
    panic: Option<Panic>,
}

impl<'a> Failures<'a> {
    pub(crate) fn new(ctx: &'a Context) -> Self {
        Self { ctx, last: None, panic: None }
    }

    /// Adds the result of a step. `Cancelled` after a stop is no failure.
    pub(crate) fn add(&mut self, result: anyhow::Result<()>) {
        match result {
            Ok(()) => {}
            Err(error) if self.ctx.is_cancelled() && Cancelled::is_outermost_in(&error) => {}
            Err(error) => {
                let is_first = !self.ctx.is_cancelled() && self.last.is_none();
                let failed = if is_first { self.ctx.fail(error) } else { Err(error) };
                if let Err(error) = failed
                    && let Some(earlier) = self.last.replace(error)
                {
                    self.ctx.record_failure(earlier);
                }
            }
        }
    }

    /// Adds the end of a part that ran the user's code.
    pub(crate) fn add_ended(&mut self, ended: Ended) {
        match ended {
            Ok(result) => self.add(result),
            // Only the first panic can be resumed. The panic hook has reported both.
            Err(panic) => _ = self.panic.get_or_insert(panic),
        }
    }

    /// Adds the end of the settler, which is aborted if the sink takes too long.
    pub(crate) fn add_settled(&mut self, settled: Result<Ended, JoinError>) {
        let aborted = |_| Ok(Err(anyhow!("the sink did not return in time")));
        self.add_ended(settled.unwrap_or_else(aborted));
    }

    /// Returns the last failure, or resumes the panic.
    pub(crate) fn into_result(mut self) -> anyhow::Result<()> {
        match (self.panic.take(), self.last.take()) {
            (None, last) => last.map_or(Ok(()), Err),
            (Some(payload), last) => {
                if let Some(error) = last {
                    self.ctx.record_failure(error);
                }
                resume_unwind(payload)
            }
        }
    }
}
