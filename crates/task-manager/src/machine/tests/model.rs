//! What the contract says of a group, in the simplest words, beside the machine that has to keep it.
//!
//! The model knows who is alive and what was asked of whom. It decides nothing: it judges each action of the machine
//! by the invariants, and looks at what the machine shows after each event.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use task_core::{Escalation, Phase, Step};

use super::Event;
use crate::{
    machine::{Kind, Machine, Trigger},
    plan::{Budgets, Tick},
};

mod judge;

/// The longest time for which an aborted phase or cleanup is waited for.
const JOIN: Duration = Duration::from_millis(250);

#[derive(Debug)]
pub(super) struct Model {
    machine: Machine,
    budgets: Budgets,
    only_failures_stop: bool,
    now: Tick,
    /// Whether each deadline was looked at in time so far: otherwise no budget can be kept.
    is_punctual: bool,
    alive: Vec<(Phase, Kind)>,
    had_work: bool,
    waited: bool,
    shutdown: Option<Shutdown>,
    step: Step,
    /// Which phases were stopped and aborted, each at most once.
    stopped: BTreeSet<Phase>,
    aborted: BTreeMap<Phase, Tick>,
    cleanups: usize,
    cleanup: Option<Cleanup>,
    cleaning_since: Option<Tick>,
    deadlines: BTreeMap<Phase, Tick>,
    ended: bool,
}

#[derive(Debug)]
struct Shutdown {
    end: Option<Tick>,
    /// How long cleanups may take.
    cleanup: Duration,
    drained: bool,
    hurried: Option<Tick>,
    phases_since_hurry: BTreeSet<Phase>,
}

#[derive(Debug)]
struct Cleanup {
    aborted: Option<Tick>,
}

impl Model {
    pub(super) fn new(budgets: Budgets, only_failures_stop: bool, start: Option<Duration>) -> Self {
        Self {
            machine: Machine::new(budgets, only_failures_stop, start),
            budgets,
            only_failures_stop,
            now: Tick::ZERO,
            is_punctual: true,
            alive: Vec::new(),
            had_work: false,
            waited: false,
            shutdown: None,
            step: Step::Running,
            stopped: BTreeSet::new(),
            aborted: BTreeMap::new(),
            cleanups: 0,
            cleanup: None,
            cleaning_since: None,
            deadlines: BTreeMap::new(),
            ended: false,
        }
    }

    pub(super) fn step(&self) -> Step {
        self.machine.step()
    }

    pub(super) fn is_unlimited(&self) -> bool {
        self.shutdown.as_ref().is_some_and(|shutdown| shutdown.end.is_none())
    }

    /// Lets one thing happen, and whatever is due because of it.
    pub(super) fn happen(&mut self, event: Event) {
        match event {
            Event::Admit(phase, kind) => self.admit(phase, kind),
            Event::End(index, outcome) if !self.alive.is_empty() => {
                let (phase, kind) = self.alive.swap_remove(index % self.alive.len());
                let trigger = self.machine.task_ended(phase, kind, outcome);
                let stops = kind == Kind::Critical && !self.only_failures_stop;
                assert_eq!(trigger.is_some(), stops || !outcome.is_clean());
                if let Some(trigger) = trigger {
                    self.trigger(trigger, None);
                }
            }
            Event::End(..) => {}
            Event::Trigger(trigger, limit) => self.trigger(trigger, limit),
            Event::Escalate(level) => self.escalate(level),
            Event::Wait => {
                self.waited = true;
                self.machine.wait_began();
            }
            Event::Started => self.machine.has_started(),
            Event::AddCleanup => {
                let is_admitted = self.machine.add_cleanup();
                assert_eq!(is_admitted, !self.ended, "refused after the end, and only then");
                self.cleanups += usize::from(is_admitted);
            }
            Event::EndCleanup => {
                if self.cleanup.take().is_some() {
                    self.machine.cleanup_ended();
                }
            }
            Event::Pass(time) => {
                let to = self.now + time;
                self.now = self.machine.next_due().map_or(to, |due| due.min(to));
            }
            Event::PassToDue => self.now = self.machine.next_due().unwrap_or(self.now),
            Event::Oversleep(time) => {
                let to = self.now + time;
                self.is_punctual &= self.machine.next_due().is_none_or(|due| to <= due);
                self.now = to;
            }
        }
        self.settle();
    }

    /// Invariant 4: in full, or not at all.
    fn admit(&mut self, phase: Phase, kind: Kind) {
        let is_closed = self.step() > Step::Stopping
            || self.stopped.last().is_some_and(|stopped| phase <= *stopped);
        let is_admitted = self.machine.admit(phase, self.now);
        assert_eq!(is_admitted, !is_closed, "closed when its phase is stopped, and not before");
        if is_admitted {
            self.alive.push((phase, kind));
            self.had_work |= phase < Phase::SUPPORT;
            if let Some(shutdown) = &mut self.shutdown {
                shutdown.phases_since_hurry.insert(phase);
                let deadline = self.machine.deadline(phase);
                assert_eq!(deadline.is_some(), shutdown.end.is_some(), "it has its deadline");
            }
        }
    }

    /// Invariant 3: the first counts.
    fn trigger(&mut self, trigger: Trigger, limit: Option<Duration>) {
        let limit =
            if self.shutdown.is_some() && trigger != Trigger::OuterStop { None } else { limit };
        let is_first = self.machine.trigger(self.now, trigger, limit);
        if let (Some(limit), Some(shutdown), Trigger::OuterStop) =
            (limit, &mut self.shutdown, trigger)
            && !is_first
        {
            let end = self.now + limit;
            if shutdown.end.is_none_or(|own| end < own) {
                shutdown.end = Some(end);
                if self.cleaning_since.is_none() {
                    shutdown.cleanup = shutdown.cleanup.min(limit / 4);
                }
            }
        }
        assert_eq!(is_first, self.shutdown.is_none());
        if is_first {
            let own = self.budgets.total.limit();
            let total = own.into_iter().chain(limit).min();
            // Somebody else's limit, which nobody could check, is kept for the tasks for the most part.
            let lent = total.filter(|total| own.is_none_or(|own| *total < own));
            let cleanup = lent.map(|total| total / 4).into_iter().chain([self.budgets.cleanup]);
            self.shutdown = Some(Shutdown {
                cleanup: cleanup.min().unwrap_or_default(),
                end: total.map(|total| self.now + total),
                drained: false,
                hurried: None,
                phases_since_hurry: BTreeSet::new(),
            });
        }
    }

    fn escalate(&mut self, level: Escalation) {
        self.trigger(Trigger::Request, None);
        self.machine.escalate(self.now, level);
        if let Some(shutdown) = &mut self.shutdown
            && level == Escalation::Abort
            && shutdown.hurried.is_none()
        {
            shutdown.hurried = Some(self.now);
            shutdown.phases_since_hurry = self.alive.iter().map(|(phase, _)| *phase).collect();
        }
    }

    /// Carries out what is due, as the shell does, and judges it.
    fn settle(&mut self) {
        for _ in 0..1_000 {
            let Some(action) = self.machine.advance(self.now) else { return self.look() };
            self.judge(action);
        }
        panic!("it never settles: {self:?}");
    }

    /// Looks at what the machine shows when nothing is due.
    fn look(&mut self) {
        assert!(self.machine.step() >= self.step, "steps only go forward");
        self.step = self.machine.step();
        assert_eq!(self.step == Step::Running, self.shutdown.is_none());
        assert_eq!(self.step == Step::Ended, self.ended);
        assert!(!(self.step == Step::Running && self.waited && self.is_complete()), "{self:?}");
        match self.machine.next_due() {
            Some(due) => assert!(due > self.now, "due, and nothing was done: {self:?}"),
            None => assert!(matches!(self.step, Step::Running | Step::Ended), "asleep: {self:?}"),
        }
        for (phase, _) in &self.alive {
            let Some(deadline) = self.machine.deadline(*phase) else { continue };
            let before = self.deadlines.insert(*phase, deadline).unwrap_or(deadline);
            assert!(deadline <= before, "the deadline of {phase:?} moved later: {self:?}");
        }
    }

    fn is_complete(&self) -> bool {
        self.alive.iter().all(|(phase, _)| self.had_work && *phase >= Phase::SUPPORT)
    }

    fn has_alive(&self, phase: Phase) -> bool {
        self.alive.iter().any(|(other, _)| *other == phase)
    }
}
