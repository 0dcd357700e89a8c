//! Waiting for a group: for its report, or for its readiness; and for the readiness of one task.

use std::pin::pin;
use std::sync::{Arc, LazyLock};

use task_core::scope::{Level, Stage};
use task_core::{Group, Outcome, Step};

use super::{Entry, Role, Shared, current, group_view};
use crate::report::{NotReady, NotReadyError, Report, ShutdownError, ShutdownErrorKind};
use crate::rt;
use crate::sync::Ordering;

/// Grows whenever a group is nested in another.
pub(crate) static NESTINGS: LazyLock<Level> = LazyLock::new(Level::new);

/// Counts a wait while it exists.
struct Waiting<'a>(&'a Shared);

impl<'a> Waiting<'a> {
    fn begin(group: &'a Shared) -> Self {
        group.waiting.fetch_add(1, Ordering::SeqCst);
        Self(group)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}

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
        let _waiting = Waiting::begin(self);
        self.wait_began();
        self.ended.reached(1).await;
        self.closed.reached(1).await;
        self.alarm.set_taken();
        self.last_line().await;
        self.alarm.set_left();
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

impl Entry {
    /// Waits until the task is ready, or has ended. Not by the group's version, which grows with
    /// every change: many tasks may wait for one, in a group that is busy starting.
    pub(crate) async fn ready(&self) -> Result<(), NotReadyError> {
        if let Some(result) = self.ready_state() {
            return result;
        }
        let made_ready = self.update_order(|order| Arc::clone(&order.made_ready));
        loop {
            // Read before the state is, so that a change in between is seen.
            let again = made_ready.reached(made_ready.get() + 1);
            if let Some(result) = self.ready_state() {
                return result;
            }
            rt::first_or(again, self.stage.reached(Stage::Ended)).await;
        }
    }

    /// Returns whether the task is ready, in the sense of invariant 12; `None` while it may become
    /// so.
    fn ready_state(&self) -> Option<Result<(), NotReadyError>> {
        match (self.outcome(), self.role) {
            (None, _) => (self.is_ready() && !self.is_only_held()).then_some(Ok(())),
            (Some(Outcome::Completed), Role::Task(kind))
                if self.shared.lock().machine.lets_end(kind) =>
            {
                Some(Ok(()))
            }
            (Some(outcome), _) => {
                Some(Err(NotReadyError(NotReady::Ended(self.name.to_string(), outcome))))
            }
        }
    }
}
