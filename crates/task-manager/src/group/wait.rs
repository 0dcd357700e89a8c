//! Waiting for a group: for its report, or for its readiness.

use std::pin::pin;
use std::sync::{Arc, LazyLock};

use task_core::scope::Level;
use task_core::{Group, Step};

use super::{Shared, current, group_view};
use crate::report::{NotReady, NotReadyError, Report, ShutdownError, ShutdownErrorKind};
use crate::rt;

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
            let nested = NESTINGS.reached(NESTINGS.get() + 1);
            if self.is_inside() {
                let manager = self.name.to_string();
                return Err(ShutdownError(ShutdownErrorKind::Inside { manager }));
            }
            if let Some(result) = rt::first_or(ended.as_mut(), nested).await {
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
            return Err(ShutdownError(ShutdownErrorKind::Unbound {
                manager: self.name.to_string(),
                reason,
            }));
        }
        self.wait_began();
        self.ended.reached(1).await;
        self.alarm.set_taken();
        match self.report.get() {
            Some(report) if report.is_clean() => Ok(report.clone()),
            Some(report) => Err(ShutdownError(ShutdownErrorKind::Failed(report.clone()))),
            // The level is raised after the report is set.
            None => Err(ShutdownError(ShutdownErrorKind::Gone)),
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
            return Some(Err(NotReadyError(NotReady::TaskEnded(name.into(), outcome))));
        }
        match state.machine.step() {
            Step::Running => state.gates.is_open().then_some(Ok(())),
            step => Some(Err(NotReadyError(NotReady::ShuttingDown(step)))),
        }
    }
}
