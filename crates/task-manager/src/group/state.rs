//! What the manager's lock protects.

use std::{collections::BTreeMap, sync::Arc};

use slab::Slab;
use task_core::{Outcome, Phase, Step, TaskId, Totals};

use crate::{
    group::cleanup::Hook,
    group::entry::{Entry, Role},
    group::gates::Gates,
    group::nesting::Link,
    group::record::Record,
    group::shared::Shared,
    group::tally::Tally,
    lifecycle::machine::Machine,
    lifecycle::plan::Tick,
    report::failure::{Failure, FailureKind},
    report::refused::Reason,
    threads::alarm::Times,
};

pub(crate) struct State {
    pub(crate) machine: Machine,
    pub(crate) tasks: Slab<Arc<Entry>>,
    pub(crate) hooks: Vec<Hook>,
    pub(crate) cleanup: Option<Arc<Entry>>,
    /// Given up, and shown until the end.
    pub(crate) abandoned: BTreeMap<TaskId, Arc<Entry>>,
    /// The groups among the tasks.
    pub(crate) links: Vec<Link>,
    /// References to groups, to be dropped outside the lock (invariant 9).
    pub(crate) spent: Vec<Arc<Shared>>,
    pub(crate) record: Record,
    pub(crate) gates: Gates,
    pub(crate) totals: Totals,
    pub(crate) tally: Tally,
    pub(crate) stopping: Option<Tick>,
    pub(crate) cleaning_up: Option<Tick>,
    /// What the alarm is set to.
    pub(crate) times: Times,
    last_id: u64,
}

impl State {
    pub(crate) fn new(machine: Machine) -> Self {
        Self {
            machine,
            tasks: Slab::new(),
            hooks: Vec::new(),
            cleanup: None,
            abandoned: BTreeMap::new(),
            links: Vec::new(),
            spent: Vec::new(),
            record: Record::default(),
            gates: Gates::default(),
            totals: Totals::default(),
            tally: Tally::default(),
            stopping: None,
            cleaning_up: None,
            times: Times::default(),
            last_id: 0,
        }
    }

    pub(crate) fn next_id(&mut self) -> TaskId {
        self.last_id += 1;
        TaskId::new(self.last_id)
    }

    pub(crate) fn refusal(&self) -> Reason {
        if self.machine.step() == Step::Ended { Reason::Ended } else { Reason::Stopping }
    }

    pub(crate) fn update_started(&mut self) {
        let is_running = self.machine.step() == Step::Running && self.machine.waited();
        if is_running && self.gates.is_open() {
            self.gates.has_started = true;
            self.machine.has_started();
        }
    }

    /// Returns the living tasks, and the cleanup that runs.
    pub(crate) fn living(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.tasks.iter().map(|(_, entry)| entry).chain(&self.cleanup)
    }

    /// Returns the living tasks of a phase.
    pub(crate) fn in_phase(&self, phase: Phase) -> impl Iterator<Item = &Arc<Entry>> {
        self.tasks.iter().map(|(_, entry)| entry).filter(move |entry| entry.phase == phase)
    }

    /// Gives an entry up: it has an outcome from now on, and its later end changes nothing.
    pub(crate) fn give_up(&mut self, entry: &Arc<Entry>, now: Tick) {
        if !entry.set_outcome(Outcome::Abandoned) {
            return;
        }
        let never_ran = !entry.mark_abandoned() && entry.role == Role::Cleanup;
        let kind = if never_ran {
            FailureKind::NotRun { reason: "its runtime did not get to it in time" }
        } else {
            FailureKind::Abandoned { status: entry.status() }
        };
        // First those inside of it: they are why it is still there.
        self.record_inner(entry, now);
        let name = entry.name.to_string();
        self.record.fail(
            Some(entry.id),
            Failure { origin: entry.role.origin(), name, id: Some(entry.id), kind, at: now },
        );
        match entry.role {
            Role::Task(_) => {
                self.tasks.try_remove(entry.key);
                self.totals.count(Outcome::Abandoned);
                self.tally.ended(entry, Outcome::Abandoned);
                let step = self.machine.step();
                self.gates.ended(entry, Outcome::Abandoned, step, false);
                self.record.task(entry, Outcome::Abandoned, now);
            }
            Role::Cleanup => {
                let took = now.saturating_sub(entry.began);
                let outcome = (!never_ran).then_some(Outcome::Abandoned);
                self.record.cleanup(&entry.name, outcome, entry.began, took);
            }
        }
        self.abandoned.insert(entry.id, Arc::clone(entry));
    }
}
