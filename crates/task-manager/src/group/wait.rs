//! Waiting for a group: for its report, or for its readiness.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, LazyLock};
use std::task::Poll;

use task_core::scope::Level;
use task_core::{Group, Step};

use super::{Shared, current, group_view};
use crate::report::{NotReadyError, Report, ShutdownError};

/// Grows whenever a group is nested in another.
pub(crate) static NESTINGS: LazyLock<Level> = LazyLock::new(Level::new);

impl Shared {
    /// Waits for the end of the group, unless the caller is inside it (invariant 6), or is found to
    /// be inside once its own group is nested in this one.
    pub(crate) async fn wait(self: &Arc<Self>) -> Result<Report, ShutdownError> {
        let mut ended = pin!(self.wait_outside());
        if !current::is_managed() {
            return ended.await;
        }
        loop {
            let mut nested = NESTINGS.reached(NESTINGS.get() + 1);
            if self.is_inside() {
                return Err(ShutdownError::inside(&self.name));
            }
            let result = poll_fn(|cx| match ended.as_mut().poll(cx) {
                Poll::Ready(result) => Poll::Ready(Some(result)),
                Poll::Pending => pin!(&mut nested).poll(cx).map(|()| None),
            });
            if let Some(result) = result.await {
                return result;
            }
        }
    }

    /// Waits for the end of the group, for a caller that is known to be outside. Invariant 5: it
    /// changes nothing but that completion is judged from now on, so any number of callers can
    /// wait, and each may be dropped.
    pub(crate) async fn wait_outside(self: &Arc<Self>) -> Result<Report, ShutdownError> {
        if self.report.get().is_none()
            && let Err(reason) = self.bind()
        {
            return Err(ShutdownError::unbound(&self.name, reason));
        }
        self.wait_began();
        self.ended.reached(1).await;
        self.alarm.set_taken();
        match self.report.get() {
            Some(report) if report.is_clean() => Ok(report.clone()),
            Some(report) => Err(ShutdownError::failed(report.clone())),
            // The level is raised after the report is set.
            None => Err(ShutdownError::gone()),
        }
    }

    pub(crate) async fn ready(self: &Arc<Self>) -> Result<(), NotReadyError> {
        let mut group: Group = group_view(self);
        loop {
            match self.gate_state() {
                Some(result) => return result,
                None => group.changed().await,
            }
        }
    }

    fn gate_state(&self) -> Option<Result<(), NotReadyError>> {
        let state = self.lock();
        if let Some((name, outcome)) = state.gates.broken() {
            return Some(Err(NotReadyError::task_ended(name, outcome)));
        }
        match state.machine.step() {
            Step::Running => state.gates.is_open().then_some(Ok(())),
            step => Some(Err(NotReadyError::shutting_down(step))),
        }
    }
}
