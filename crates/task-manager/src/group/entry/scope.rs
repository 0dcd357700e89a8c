//! The task's context, as the manager implements it.

use std::borrow::Cow;
use std::sync::{Arc, Weak};
use std::time::Duration;

use task_core::scope::{ChildrenView, PulseFn, Scope, StageCell};
use task_core::{Escalation, Fuse, FuseInstant, Group, Panic, Phase, Pulse};

use super::Entry;
use crate::group::{current, group_view, span};
use crate::lifecycle::Trigger;
use crate::report::{CauseKind, End};

impl Entry {
    fn requests(&self, reason: Cow<'static, str>) -> CauseKind {
        CauseKind::RequestedBy { task: self.name.to_string(), id: self.id, reason }
    }

    fn count_one_failure(&self) {
        self.update(|details| details.failures = details.failures.saturating_add(1));
    }
}

impl Scope for Entry {
    fn stage(&self) -> &StageCell {
        &self.stage
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn phase(&self) -> Phase {
        self.phase
    }

    fn remaining(&self) -> Option<Duration> {
        self.shared.remaining(self)
    }

    fn set_ready(&self, ready: bool) {
        if self.member.set_ready(ready) {
            self.shared.readiness_changed(self);
        }
    }

    fn set_status(&self, status: Cow<'static, str>) {
        self.member.set_status(&status);
        self.shared.changed();
    }

    fn request_stop(&self, reason: Cow<'static, str>) {
        self.shared.trigger(self.requests(reason), Trigger::Request);
    }

    fn escalate(&self, level: Escalation) {
        let reason = Cow::Borrowed("shutdown escalated");
        self.shared.escalate(level, self.requests(reason));
    }

    fn add_hold(&self) {
        self.add_pending();
    }

    fn release_hold(self: Arc<Self>) {
        self.release();
    }

    fn record_failure(&self, error: anyhow::Error) {
        self.count_one_failure();
        self.shared.failure_survived(self, error);
    }

    fn record_panic(&self, panic: Panic) {
        self.count_one_failure();
        self.shared.panic_survived(self, panic);
    }

    fn count_failure(&self) {
        self.count_one_failure();
        self.shared.changed();
    }

    fn fail(self: Arc<Self>, error: anyhow::Error) -> Result<(), anyhow::Error> {
        self.shared.failed_beside(&self, End::Failed(error));
        Ok(())
    }

    fn fail_by_panic(self: Arc<Self>, panic: Panic) {
        self.shared.failed_beside(&self, End::Panicked(panic));
    }

    fn record_restart(&self) {
        self.update(|details| details.restarts = details.restarts.saturating_add(1));
        self.shared.changed();
    }

    fn record_wait(&self, wait: Option<Duration>) {
        let works_again = wait.map(|wait| self.shared.now().saturating_add(wait));
        self.update(|details| details.works_again = works_again);
        self.shared.changed();
    }

    fn record_signal(&self, name: Cow<'static, str>, count: u64) {
        self.shared.lock().tally.signal(name, count);
        self.shared.changed();
    }

    fn add_children(&self, children: Weak<dyn ChildrenView>) {
        self.member.add_children(children);
    }

    fn pulse(&self, interval: Duration, beat: PulseFn) -> Option<Pulse> {
        self.shared.start_pulse(self, interval, beat)
    }

    fn fuse(&self, at: FuseInstant, code: u8, text: String) -> Option<Fuse> {
        self.shared.arm_fuse(self, at, code, &text)
    }

    fn group(&self) -> Group {
        group_view(&self.shared)
    }

    fn enter(self: Arc<Self>, body: &mut dyn FnMut()) {
        let span = span::of_task(&self);
        let _entered = span.enter();
        current::enter(&mut Some(self), body);
    }
}
