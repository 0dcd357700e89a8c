//! What went wrong in one run: none of it may hide another.

use std::panic::resume_unwind;

use anyhow::anyhow;
use task_core::{Cancelled, Context};
use tokio::task::JoinError;

use crate::apart::Panic;

/// How a part of the task ended.
pub(crate) type Ended = Result<anyhow::Result<()>, Panic>;

/// Failures in their order: the last one is what the task returns, those before it are recorded as
/// they are followed by another, so that the report has the first one first. A panic is raised
/// again after all steps of the stop.
pub(crate) struct Failures<'a> {
    ctx: &'a Context,
    last: Option<anyhow::Error>,
    panic: Option<Panic>,
}

impl<'a> Failures<'a> {
    pub(crate) fn new(ctx: &'a Context) -> Self {
        Self { ctx, last: None, panic: None }
    }

    pub(crate) fn add(&mut self, result: anyhow::Result<()>) {
        match result {
            Ok(()) => {}
            Err(error) if self.ctx.is_cancelled() && Cancelled::is_outermost_in(&error) => {}
            Err(error) => {
                if let Some(before) = self.last.replace(error) {
                    self.ctx.record_failure(before);
                }
            }
        }
    }

    pub(crate) fn add_ended(&mut self, ended: Ended) {
        match ended {
            Ok(result) => self.add(result),
            // Of two, the second is told by the panic hook.
            Err(panic) => _ = self.panic.get_or_insert(panic),
        }
    }

    pub(crate) fn add_settled(&mut self, settled: Result<Ended, JoinError>) {
        let late = |_aborted| Ok(Err(anyhow!("the sink did not return in time")));
        self.add_ended(settled.unwrap_or_else(late));
    }

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
