//! What the manager's lock protects, and the bookkeeping of every end.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use slab::Slab;
use task_core::{Blocker, EventKind, Outcome, Phase, Step, TaskId, Totals};

use super::{Entry, Event, Flush, Gates, Hook, Journal, Lines, Member, Record, Role, Tally};
use crate::lifecycle::{Machine, Tick};
use crate::report::{Activity, Failure, FailureKind, FailureOrigin, NOT_REACHED};
use crate::threads::{PulseTimer, Times};

pub(crate) struct State {
    pub(crate) machine: Machine,
    pub(crate) tasks: Slab<Arc<Entry>>,
    pub(crate) hooks: Vec<Hook>,
    pub(crate) flushes: Vec<Flush>,
    /// The cleanups that run, all at once.
    pub(crate) cleanups: Vec<Arc<Entry>>,
    /// Abandoned, and shown until the end.
    pub(crate) abandoned: BTreeMap<TaskId, Arc<Entry>>,
    pub(crate) record: Record,
    pub(crate) journal: Journal,
    pub(crate) lines: Lines,
    pub(crate) gates: Gates,
    pub(crate) totals: Totals,
    pub(crate) tally: Tally,
    pub(crate) stopping: Option<Tick>,
    pub(crate) cleaning_up: Option<Tick>,
    /// Whether it is recorded that the parent token or the outer group stops this one.
    pub(crate) has_followed: bool,
    /// The wait for the parent token, while the group has not ended.
    #[cfg(feature = "token")]
    pub(crate) parent_watch: Option<Garbage>,
    /// Weak, since a callback may have captured a context.
    pub(crate) pulses: Vec<Weak<PulseTimer>>,
    /// What the alarm is set to.
    pub(crate) times: Times,
    /// Invariant 9: what is to be dropped once the lock is released. Emptied when a
    /// [`Turn`](super::turn::Turn) is released or finished.
    pub(crate) garbage: Vec<Garbage>,
    last_id: u64,
}

/// A value whose drop may run the user's code.
pub(crate) type Garbage = Box<dyn Any + Send>;

impl State {
    pub(crate) fn new(machine: Machine) -> Self {
        Self {
            machine,
            tasks: Slab::new(),
            hooks: Vec::new(),
            flushes: Vec::new(),
            cleanups: Vec::new(),
            abandoned: BTreeMap::new(),
            record: Record::default(),
            journal: Journal::default(),
            lines: Lines::default(),
            gates: Gates::default(),
            totals: Totals::default(),
            tally: Tally::default(),
            stopping: None,
            cleaning_up: None,
            has_followed: false,
            #[cfg(feature = "token")]
            parent_watch: None,
            pulses: Vec::new(),
            times: Times::default(),
            garbage: Vec::new(),
            last_id: 0,
        }
    }

    pub(crate) fn next_id(&mut self) -> TaskId {
        self.last_id += 1;
        TaskId::new(self.last_id)
    }

    pub(crate) fn update_started(&mut self) {
        let is_running = self.machine.step() == Step::Running && self.machine.waited();
        if is_running && self.gates.is_open() {
            self.gates.has_started = true;
            self.machine.started();
        }
    }

    /// Returns what keeps the group from being ready, with the status of each task.
    pub(crate) fn start_blockers(&self) -> Vec<String> {
        let blockers = self.gates.readiness(self.machine.step(), self.machine.waited()).blockers;
        let mut unready = self.gates.unready();
        let text = |blocker: &Blocker| {
            let id = matches!(blocker, Blocker::NotReady(_)).then(|| unready.next()).flatten();
            let mut living = self.living_tasks();
            let status = living.find(|entry| Some(entry.id) == id).and_then(|entry| entry.status());
            status.map_or_else(|| blocker.to_string(), |status| format!("{blocker} ({status})"))
        };
        blockers.iter().map(text).collect()
    }

    /// Returns the living tasks.
    pub(crate) fn living_tasks(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.tasks.iter().map(|(_, entry)| entry)
    }

    /// Returns the living tasks, and the cleanups that run.
    pub(crate) fn living(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.living_tasks().chain(&self.cleanups)
    }

    /// Returns the living tasks of a phase.
    pub(crate) fn in_phase(&self, phase: Phase) -> impl Iterator<Item = &Arc<Entry>> {
        self.living_tasks().filter(move |entry| entry.phase == phase)
    }

    /// Does the bookkeeping of an end, whether by return, abort or abandonment. Invariant 1: once
    /// for each member, after its outcome was set. `now` is read only if it is needed: it is a good
    /// part of what a clean end costs.
    pub(crate) fn settle(&mut self, member: &Member, outcome: Outcome, now: impl FnOnce() -> Tick) {
        if self.journal.is_watched() {
            let now = now();
            self.settle_watched(member, outcome, now);
            return self.settle_member(member, outcome, || now);
        }
        self.settle_member(member, outcome, now);
    }

    /// Shows an end to the watchers.
    fn settle_watched(&mut self, member: &Member, outcome: Outcome, now: Tick) {
        let name = member.name.clone();
        match member.role {
            Role::Task(_) => {
                self.watched(now, EventKind::TaskEnded { name, id: member.id, outcome });
            }
            Role::Cleanup => {
                let outcome = member.was_polled().then_some(outcome);
                self.watched(now, EventKind::CleanupEnded { name, outcome });
            }
            // No task; a failure of it is an event of its own.
            Role::Setup => {}
        }
    }

    /// Shows an event to the watchers, if there are any.
    pub(crate) fn watched(&mut self, at: Tick, kind: EventKind) {
        let oldest = self.journal.add_watched(at, kind);
        self.garbage.extend(oldest);
    }

    fn settle_member(&mut self, member: &Member, outcome: Outcome, now: impl FnOnce() -> Tick) {
        match member.role {
            Role::Task(kind) => {
                // The caller has a reference, so this is not the last one.
                self.tasks.try_remove(member.key);
                self.totals.count(outcome);
                self.tally.ended(member, outcome);
                let may_end = self.machine.lets_end(kind);
                self.gates.ended(member, outcome, self.machine.step(), may_end);
                // Listed are the ends of the shutdown, the one that begins it included.
                if self.machine.plan().is_some() || !outcome.is_clean() || !may_end {
                    self.record.task(member, outcome, now());
                }
            }
            Role::Setup => {
                self.tasks.try_remove(member.key);
                // No task, and listed only if the shutdown had to do with it.
                if self.machine.plan().is_some() {
                    self.record.task(member, outcome, now());
                }
            }
            Role::Cleanup => {
                // The caller has a reference, so this is not the last one.
                self.cleanups.retain(|cleanup| cleanup.id != member.id);
                let ran = member.was_polled().then_some(outcome);
                let took = now().saturating_sub(member.began);
                self.record.cleanup(&member.name, ran, member.began, took);
            }
        }
    }

    /// Abandons a member: it has an outcome from now on, and its later end changes nothing.
    pub(crate) fn abandon(&mut self, entry: &Arc<Entry>, now: Tick) {
        if !entry.set_outcome(Outcome::Abandoned) {
            return;
        }
        let activity = entry.activity();
        let never_ran = !entry.mark_abandoned() && entry.role == Role::Cleanup;
        // It has failed already, and of all that it was, only the future is left, which its runtime
        // has not got to. That is no second failure; its outcome says it.
        let is_remnant = entry.failed().is_some() && activity == Activity::NotReached;
        let kind = if never_ran {
            FailureKind::NotRun { reason: NOT_REACHED }
        } else {
            let (deadline, aborted) =
                entry.update(|details| (details.deadline.clone(), details.aborted));
            let after_abort = now.saturating_sub(aborted.unwrap_or(now));
            let status = entry.status_with_children();
            FailureKind::Abandoned { deadline, after_abort, activity, status }
        };
        // Those inside first: they are why it is still alive.
        self.record_stuck_inside(entry, now);
        if !is_remnant {
            self.fail_as(entry, kind, now);
        }
        self.settle(entry, Outcome::Abandoned, || now);
        self.abandoned.insert(entry.id, Arc::clone(entry));
    }

    /// Records a failure of a member.
    pub(crate) fn fail_as(&mut self, member: &Member, kind: FailureKind, at: Tick) {
        let ran = at.saturating_sub(member.began);
        self.keep(member.failure(kind, at), Some(ran));
    }

    /// Records a failure of something that can fail but once.
    pub(crate) fn fail(&mut self, origin: FailureOrigin, name: &str, kind: FailureKind, at: Tick) {
        self.keep(Failure { origin, name: name.into(), id: None, kind, at }, None);
    }

    /// Records a failure, and logs it: no failure comes into the report in another way, except
    /// those of a nested group, which logs its own.
    pub(crate) fn keep(&mut self, failure: Failure, ran: Option<Duration>) {
        let oldest = self.journal.add_failure(&failure);
        self.garbage.extend(oldest);
        self.log(Event::Failed(failure.clone(), ran));
        let evicted = self.record.keep(failure.id, failure, None);
        self.garbage.extend(evicted.map(|failure| Box::new(failure) as Garbage));
    }
}
