//! The task's context, as the manager implements it.

use std::{
    borrow::Cow,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::Arc,
    time::Duration,
};

use task_core::{
    Escalation, Group,
    scope::{Scope, StageCell},
};

use super::{Entry, READY};
use crate::{
    group::current, group::span, group::view, lifecycle::machine::Trigger,
    report::cause::CauseKind, sync::Ordering, threads::panics::Place,
};

/// The longest status that is kept, in bytes.
const LONGEST_STATUS: usize = 256;

impl Scope for Entry {
    fn stage(&self) -> &StageCell {
        &self.stage
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn remaining(&self) -> Option<Duration> {
        self.shared.remaining(self)
    }

    fn set_ready(&self, ready: bool) {
        let before =
            if ready { self.set(READY) } else { self.flags.fetch_and(!READY, Ordering::SeqCst) };
        if (before & READY != 0) != ready {
            self.shared.readiness_changed(self);
        }
    }

    fn set_status(&self, status: Cow<'static, str>) {
        let fits =
            (0..=status.len().min(LONGEST_STATUS)).rev().find(|end| status.is_char_boundary(*end));
        let status = Arc::from(&status[..fits.unwrap_or(0)]);
        let before = self.details().get_or_insert_default().status.replace(status);
        drop(before);
        self.shared.changed();
    }

    fn request_stop(&self, reason: Cow<'static, str>) {
        let kind = CauseKind::requested_by(&self.name, self.id, reason);
        self.shared.trigger(kind, Trigger::Request, None);
    }

    fn escalate(&self, level: Escalation) {
        let kind = CauseKind::requested_by(&self.name, self.id, Cow::Borrowed("told to hurry"));
        self.shared.escalate(level, kind);
    }

    fn add_hold(&self) {
        self.pending.fetch_add(1, Ordering::SeqCst);
    }

    fn release_hold(self: Arc<Self>) {
        self.release();
    }

    fn record_failure(&self, error: anyhow::Error) {
        let mut details = self.details();
        let failures = &mut details.get_or_insert_default().failures;
        *failures = failures.saturating_add(1);
        drop(details);
        self.shared.failure_survived(self, error);
    }

    fn record_restart(&self) {
        let mut details = self.details();
        let restarts = &mut details.get_or_insert_default().restarts;
        *restarts = restarts.saturating_add(1);
        drop(details);
        self.shared.changed();
    }

    fn record_signal(&self, name: Cow<'static, str>, count: u64) {
        self.shared.lock().tally.signal(name, count);
        self.shared.changed();
    }

    fn group(&self) -> Group {
        view::group(&self.shared)
    }

    fn enter(self: Arc<Self>, body: &mut dyn FnMut()) {
        let span = span::of_task(&self);
        let _entered = span.enter();
        let mut entry = Some(Arc::clone(&self));
        if let Err(payload) = current::enter(&mut entry, || catch_unwind(AssertUnwindSafe(body))) {
            // It surfaces in the task's future, on another thread, which could not tell where it came from.
            self.details().get_or_insert_default().place = Place::take();
            resume_unwind(payload);
        }
    }
}
