//! Waiting for a group: for its report, or for its readiness.

use std::{
    error::Error,
    fmt,
    sync::{Arc, PoisonError, atomic::Ordering},
};

use task_core::{Group, Outcome, Step};

use crate::{current, error::ShutdownError, report::Report, shared::Shared, view};

/// Counts a wait while it lasts, whether it returns or is dropped.
struct Waiting<'a>(&'a Shared);

impl<'a> Waiting<'a> {
    fn begin(shared: &'a Shared) -> Self {
        shared.waiting.fetch_add(1, Ordering::SeqCst);
        Self(shared)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Shared {
    /// Invariant 5: it changes nothing but that completion is judged from now on, so any number of callers can wait,
    /// and each may be dropped.
    pub(crate) async fn wait(self: &Arc<Self>) -> Result<Report, ShutdownError> {
        if self.runs_this_thread() {
            return Err(ShutdownError::inside(&self.name));
        }
        let waiting = Waiting::begin(self);
        if self.report.get().is_none() && self.bind().is_err() {
            return Err(ShutdownError::no_runtime(&self.name));
        }
        self.wait_began();
        self.ended.reached(1).await;
        drop(waiting);
        match self.report.get() {
            Some(report) if report.is_clean() => Ok(report.clone()),
            Some(report) => Err(ShutdownError::failed(report.clone())),
            // The level is raised after the report is set.
            None => Err(ShutdownError::gone()),
        }
    }

    /// Invariant 6: tells whether the calling code is part of this group, or of one inside it.
    fn runs_this_thread(self: &Arc<Self>) -> bool {
        let mut next = current::get();
        while let Some(shared) = next {
            if Arc::ptr_eq(&shared, self) {
                return true;
            }
            let enclosing = shared.enclosing.lock().unwrap_or_else(PoisonError::into_inner);
            next = enclosing.upgrade();
            drop(enclosing);
        }
        false
    }

    pub(crate) async fn ready(self: &Arc<Self>) -> Result<(), NotReadyError> {
        let mut group: Group = view::group(self);
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
            return Some(Err(NotReadyError(Why::Ended(name.clone(), *outcome))));
        }
        match state.machine.step() {
            Step::Running => state.gates.is_open().then_some(Ok(())),
            step => Some(Err(NotReadyError(Why::ShuttingDown(step)))),
        }
    }
}

/// Why a group will not become ready.
#[derive(Clone, Debug)]
pub struct NotReadyError(Why);

#[derive(Clone, Debug)]
enum Why {
    Ended(String, Outcome),
    ShuttingDown(Step),
}

impl NotReadyError {
    /// Returns the name of the gating task that ended and thereby ruled readiness out; `None` if the group is
    /// shutting down for another reason.
    pub fn task(&self) -> Option<&str> {
        match &self.0 {
            Why::Ended(name, _) => Some(name),
            Why::ShuttingDown(_) => None,
        }
    }
}

impl fmt::Display for NotReadyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Why::Ended(name, outcome) => {
                write!(f, "task `{name}`, which readiness waits for, {outcome}")
            }
            Why::ShuttingDown(step) => write!(f, "the group is shutting down ({step})"),
        }
    }
}

impl Error for NotReadyError {}
