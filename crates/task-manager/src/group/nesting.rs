//! Nested groups.
//!
//! A nested group runs as a task of the outer one and lives by that task's context: it drains when
//! the context drains, stops within the time that the context has left when it is cancelled, and
//! aborts when its future is dropped. Its failures are in the error that its task returns. Beyond
//! that there are three links:
//!
//! - A hold keeps the outer task from ending before the nested group has ended.
//! - When the outer group abandons the task, it looks at the nested group through a weak reference,
//!   to name what is alive in it.
//! - When the future was dropped, nothing returns an error. The nested group then records its
//!   failures with the outer one itself, once, when it ends.

use std::sync::Arc;
use std::time::Duration;

use task_core::scope::{discard, guarded_name};
use task_core::{Context, Escalation, Hold, Outcome, Step};

use super::{Entry, Event, NESTINGS, Role, Shared, State, Turn, current};
use crate::lifecycle::{Tick, Trigger};
use crate::report::{Failure, FailureKind, Repeated, Report, ShutdownError, ShutdownErrorKind};
use crate::sync::{Ordering, lock};

/// The most levels of nested groups. The end of the innermost may end all of them, one inside the
/// other on one stack.
const MAX_DEPTH: u32 = 100;

/// The most names of what is alive in nested groups, in a report and at a hard exit.
const MAX_NAMED: usize = 128;
const MAX_NAMED_AT_EXIT: usize = 20;

/// The outer task that a group is.
pub(crate) struct OuterLink {
    /// `None` if the future is not polled by a manager's task itself.
    entry: Option<Arc<Entry>>,
    /// Keeps the task from having ended while the group has not.
    hold: Hold,
    /// Whether the task's future was dropped before the group had ended.
    pub(crate) is_orphan: bool,
}

impl OuterLink {
    /// Returns the outer group.
    pub(crate) fn group(&self) -> Option<Arc<Shared>> {
        self.entry.as_ref().map(|entry| Arc::clone(&entry.shared))
    }

    /// Records the failures of the nested group, and lets the outer task end.
    pub(crate) fn record(self, inner: &Arc<Shared>) {
        if let Some(entry) = &self.entry {
            record_report(entry, inner);
        }
        drop(self.hold);
    }
}

/// A nested group while its task's future exists. Dropping it aborts the group.
pub(crate) struct Nesting {
    /// `None` once it is unlinked.
    inner: Option<Arc<Shared>>,
    entry: Option<Arc<Entry>>,
}

impl Nesting {
    /// Links a group with the task that it is. An error if it would be nested too deeply.
    pub(crate) fn link(inner: &Arc<Shared>, ctx: &Context) -> anyhow::Result<Self> {
        let entry = current::entry();
        if let Some(entry) = &entry {
            inner.enclose_in(&entry.shared)?;
            entry.update(|details| {
                // A task may run one group after the other.
                details.nested.retain(|nested| nested.strong_count() > 0);
                details.nested.push(Arc::downgrade(inner));
            });
        }
        let link = OuterLink { entry: entry.clone(), hold: ctx.hold(), is_orphan: false };
        *lock(&inner.outer) = Some(link);
        let nesting = Self { inner: Some(Arc::clone(inner)), entry };
        if inner.report.get().is_some() {
            // It has ended before it was run, and nothing will release the hold.
            let link = lock(&inner.outer).take();
            drop(link);
        }
        Ok(nesting)
    }

    /// Unlinks a group that has ended, and whose result the task returns; or one that was never
    /// bound to a runtime, and whose end will not release the hold.
    pub(crate) fn unlink(mut self) {
        let Some(inner) = self.inner.take() else { return };
        let link = lock(&inner.outer).take();
        drop(link);
        if let Some(entry) = &self.entry {
            unlink(entry, &inner);
        }
    }
}

impl Nesting {
    /// Has the nested group follow the outer one, which drains or stops.
    pub(crate) fn follow(&self, trigger: Trigger, ctx: &Context) {
        let (limit, level) = match &self.entry {
            Some(entry) => time_left(entry),
            None => (ctx.remaining().and_then(shorter), None),
        };
        let level = level.filter(|_| trigger == Trigger::OuterStop);
        if let Some(inner) = &self.inner {
            inner.follow(trigger, limit, level);
        }
    }
}

impl Drop for Nesting {
    fn drop(&mut self) {
        let Self { inner: Some(inner), entry } = self else { return };
        let is_over = match &mut *lock(&inner.outer) {
            Some(link) => {
                link.is_orphan = true;
                false
            }
            None => true,
        };
        // Exactly one of the two records the failures: the end of the group takes the link first.
        if is_over && let Some(entry) = entry {
            record_report(entry, inner);
        }
        let limit = entry.as_deref().and_then(|entry| time_left(entry).0);
        inner.follow(Trigger::OuterStop, limit, Some(Escalation::Abort));
    }
}

/// Returns how long the outer group leaves to a group that is its task, and what it escalated its
/// own shutdown to.
///
/// A little of the time is kept, so that the nested group's own end comes before the outer one goes
/// on. A limit that has passed limits nothing any more: what is left then is the time in which
/// aborted tasks are dropped.
fn time_left(entry: &Entry) -> (Option<Duration>, Option<Escalation>) {
    let now = entry.shared.now();
    let machine = &entry.shared.lock().machine;
    let (left, is_escalated) = machine.time_of_nested(entry.key, entry.phase, now);
    (left.and_then(shorter), is_escalated.then_some(Escalation::Abort))
}

fn shorter(left: Duration) -> Option<Duration> {
    let limit = left - Duration::from_millis(50).min(left / 256);
    (!limit.is_zero()).then_some(limit)
}

impl Shared {
    fn enclosing(&self) -> Option<Arc<Self>> {
        lock(&self.enclosing).upgrade()
    }

    /// Makes `outer` the outer group, unless this one would be nested too deeply or in itself.
    fn enclose_in(self: &Arc<Self>, outer: &Arc<Self>) -> anyhow::Result<()> {
        // Set first and checked then: of two groups that are made to run inside each other at the
        // same time, at least one sees the circle.
        let before = std::mem::replace(&mut *lock(&self.enclosing), Arc::downgrade(outer));
        // Each may be the last reference by now, and what it drops is the user's.
        let mut passed = vec![Arc::clone(outer)];
        let mut height = self.height.load(Ordering::SeqCst);
        let refusal = loop {
            let Some(group) = passed.last() else { break None };
            height += 1;
            let name = &self.name;
            if Arc::ptr_eq(group, self) {
                let manager = name.to_string();
                break Some(ShutdownError(ShutdownErrorKind::Inside { manager }).into());
            }
            if height >= MAX_DEPTH {
                break Some(anyhow::anyhow!(
                    "groups are nested over {MAX_DEPTH} levels deep, at manager `{name}`"
                ));
            }
            group.height.fetch_max(height, Ordering::SeqCst);
            let Some(next) = group.enclosing() else { break None };
            passed.push(next);
        };
        discard(passed);
        if let Some(refusal) = refusal {
            *lock(&self.enclosing) = before;
            return Err(refusal);
        }
        // Waits that have begun look again whether they are inside.
        NESTINGS.bump();
        Ok(())
    }

    /// Invariant 6: returns whether the calling code is part of this group, or of one nested in it.
    pub(crate) fn is_inside(self: &Arc<Self>) -> bool {
        let mut next = current::group();
        // Two groups that are made to run inside each other would close a circle.
        for _ in 0..=MAX_DEPTH {
            let Some(group) = next else { return false };
            if Arc::ptr_eq(&group, self) {
                return true;
            }
            next = group.enclosing();
        }
        false
    }
}

fn unlink(entry: &Entry, inner: &Arc<Shared>) {
    let inner = Arc::downgrade(inner);
    entry.update(|details| details.nested.retain(|nested| !nested.ptr_eq(&inner)));
}

/// Records the failures of a nested group that has ended, for the task that it is. Under the same
/// lock the group is unlinked, or an abandonment that follows would record them again.
fn record_report(entry: &Arc<Entry>, inner: &Arc<Shared>) {
    let Some(report) = inner.report.get() else { return };
    let mut turn = entry.shared.turn();
    let now = turn.now();
    // After the end of the outer group it is too late for its report. This one logs its own.
    if turn.state.machine.step() != Step::Ended {
        turn.state.record_nested(entry, report, now);
    }
    unlink(entry, inner);
    turn.release();
}

impl Turn<'_> {
    /// Records the failures in an error that a nested group's task returns. Gives any other error
    /// back, and one that says more than the failures do: with a context around them.
    pub(crate) fn record_nested_error(
        &mut self,
        entry: &Entry,
        error: anyhow::Error,
    ) -> Option<anyhow::Error> {
        let inner = error.downcast_ref::<ShutdownError>().and_then(ShutdownError::report).cloned();
        let Some(report) = inner else { return Some(error) };
        let now = self.now();
        self.state.record_nested(entry, &report, now);
        // `downcast_ref` of the error itself would look below the contexts.
        if !error.chain().next().is_some_and(|outermost| outermost.is::<ShutdownError>()) {
            return Some(error);
        }
        let ran = now.saturating_sub(entry.began);
        self.log(Event::GroupFailed(entry.subject(), error, ran));
        None
    }
}

impl State {
    /// Takes over the failures of a nested group that has ended. If the task was abandoned before,
    /// those that were recorded then are left out, and so are the ends of what was named as alive.
    fn record_nested(&mut self, entry: &Entry, report: &Report, now: Tick) {
        let was_abandoned = entry.outcome() == Some(Outcome::Abandoned);
        let failures = report.failures().iter().map(|failure| {
            let name =
                format!("{}/{}", entry.name, report.0.repeated.label(&failure.name, failure.id));
            Failure { name, id: None, at: now, ..failure.clone() }
        });
        let is_alive = |failure: &Failure| matches!(failure.kind, FailureKind::Abandoned { .. });
        // One that was recorded then is one of the report's, and no more than one: a second panic
        // of the same task with the same text is another failure.
        let mut known = Vec::new();
        if was_abandoned {
            known = self.record.inside_at_end(entry.id);
        }
        let is_new = |new: &Failure| {
            let is_end = matches!(new.kind, FailureKind::Aborted { .. }) || is_alive(new);
            let is_its_end = |old: &Failure| is_end && is_alive(old) && old.name == new.name;
            let same = known.iter().position(|old| old.is_same(new) || is_its_end(old));
            same.map(|place| known.swap_remove(place)).is_none()
        };
        let new = failures.filter(is_new).collect();
        let omitted = if was_abandoned { 0 } else { report.omitted_failures() };
        self.fail_nested(entry, new, omitted);
    }

    /// Records what failed and what is alive in the groups that a task runs, which cannot report
    /// it themselves in time.
    pub(crate) fn record_stuck_inside(&mut self, entry: &Entry, now: Tick) {
        let mut inside = Inside { failures: Vec::new(), omitted: 0, groups: Vec::new() };
        for group in entry.nested() {
            inside.add(group, &entry.name, now);
        }
        let is_alive = |failure: &&Failure| matches!(failure.kind, FailureKind::Abandoned { .. });
        for failure in inside.failures.iter().filter(is_alive) {
            self.log(Event::Failed(failure.clone(), None));
        }
        self.fail_nested(entry, inside.failures, inside.omitted);
        self.garbage.push(Box::new(inside.groups));
    }

    fn fail_nested(&mut self, entry: &Entry, failures: Vec<Failure>, omitted: u64) {
        for failure in &failures {
            let oldest = self.journal.add_failure(failure);
            self.garbage.extend(oldest);
        }
        let evicted = self.record.fail_nested(entry, failures, omitted);
        self.garbage.push(Box::new(evicted));
    }
}

/// What failed and what is alive in a group and in those nested in it.
struct Inside {
    failures: Vec<Failure>,
    omitted: u64,
    /// All groups that were looked at, to be dropped without a lock: each may be the last
    /// reference.
    groups: Vec<Arc<Shared>>,
}

impl Inside {
    /// Adds a group and those nested in it. Locks one nested group at a time, below the outer lock
    /// that the caller holds.
    fn add(&mut self, group: Arc<Shared>, path: &str, now: Tick) {
        let state = group.lock();
        let mut repeated = state.tally.repeated();
        repeated.add(state.living().take(MAX_NAMED).map(|entry| &*entry.name));
        let label = |name: &str, id| format!("{path}/{}", repeated.label(name, id));
        let (failures, omitted) = match group.report.get() {
            Some(report) => (report.failures().to_vec(), report.omitted_failures()),
            None => (state.record.failures(&repeated), state.record.omitted_failures),
        };
        self.omitted += omitted;
        self.failures.extend(failures.into_iter().map(|failure| {
            let name = label(&failure.name, failure.id);
            Failure { name, id: None, at: now, ..failure }
        }));
        let mut nested = Vec::new();
        for entry in state.living() {
            let name = label(&entry.name, Some(entry.id));
            nested.extend(entry.nested().into_iter().map(|group| (group, name.clone())));
            if self.failures.len() >= MAX_NAMED {
                self.omitted += 1;
                continue;
            }
            let (deadline, after_abort) = (None, Duration::ZERO);
            let (activity, status) = (entry.activity(), entry.status_with_children());
            let kind = FailureKind::Abandoned { deadline, after_abort, activity, status };
            let origin = entry.role.origin();
            self.failures.push(Failure { origin, name, id: None, kind, at: now });
        }
        drop(state);
        self.groups.push(group);
        for (group, path) in nested {
            self.add(group, &path, now);
        }
    }
}

/// Adds the names of what is alive in a group, and in those nested in it by path, up to 20, and
/// says of which a poll or a drop has not returned.
pub(crate) fn add_living_names(names: &mut Vec<String>, group: &Arc<Shared>, path: &str) {
    let state = group.lock();
    // A cleanup that was abandoned before it began does not begin any more.
    let is_alive = |entry: &&Arc<Entry>| entry.role != Role::Cleanup || entry.was_polled();
    let living = state.living().chain(state.abandoned.values().filter(is_alive));
    let living: Vec<_> =
        living.take(MAX_NAMED_AT_EXIT.saturating_sub(names.len())).cloned().collect();
    drop(state);
    let mut repeated = Repeated::default();
    repeated.add(living.iter().map(|entry| &*entry.name));
    for entry in &living {
        if names.len() >= MAX_NAMED_AT_EXIT {
            break;
        }
        let name = format!("{path}{}", repeated.label(&entry.name, Some(entry.id)));
        let path = format!("{name}/");
        let blocks = if entry.activity().holds_thread() { " (holds a thread)" } else { "" };
        names.push(name + blocks);
        let children = entry.living_children(MAX_NAMED_AT_EXIT - names.len());
        names.extend(children.names.iter().map(|child| format!("{path}{}", guarded_name(child))));
        if children.more > 0 {
            names.push(format!("{path}... ({} more)", children.more));
        }
        for nested in entry.nested() {
            add_living_names(names, &nested, &path);
            // Each may be the last reference. The process is about to end, and must not wait for
            // what is dropped.
            std::mem::forget(nested);
        }
    }
    std::mem::forget(living);
}
