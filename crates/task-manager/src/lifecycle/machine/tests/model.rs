//! What the contract says of a group, in the simplest words, beside the machine that keeps it.
//!
//! The model knows which tasks are alive and what was done to each phase. It decides nothing: it
//! judges each action of the machine by the invariants, and checks what the machine shows after
//! each event.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use task_core::{Escalation, Phase, Step};

use super::Event;
use crate::lifecycle::machine::{Kind, Machine, Trigger};
use crate::lifecycle::plan::{Budgets, Tick};

mod judge;

/// The longest time for which an aborted phase or cleanup is waited for.
const JOIN: Duration = Duration::from_millis(250);

#[derive(Debug)]
pub(super) struct Model {
    machine: Machine,
    budgets: Budgets,
    only_failures_stop: bool,
    now: Tick,
    /// Whether the machine was advanced at each deadline so far: otherwise no budget can be kept.
    is_punctual: bool,
    alive: Vec<Task>,
    admitted: usize,
    had_work: bool,
    was_ready: bool,
    waited: bool,
    shutdown: Option<Shutdown>,
    step: Step,
    /// Which phases were stopped and aborted, each at most once.
    stopped: BTreeSet<Phase>,
    aborted: BTreeMap<Phase, Tick>,
    /// The cleanups that wait: which in the order of registration, and whether beside the one
    /// before it.
    cleanups: Vec<(usize, bool)>,
    registered: usize,
    running: usize,
    cleanup_aborted: Option<Tick>,
    cleaning_since: Option<Tick>,
    /// Whether the shutdown had no end by then.
    cleans_without_end: bool,
    deadlines: BTreeMap<Phase, Tick>,
    ended: bool,
}

#[derive(Debug)]
struct Shutdown {
    end: Option<Tick>,
    /// Until when the group drains if it has work, and the outer group does not say.
    drain_end: Tick,
    /// Drains for as long as the outer group does, which has not stopped it yet.
    with_outer: bool,
    /// A limit came when it was under way.
    tightened: bool,
    /// How long cleanups may take.
    cleanup: Duration,
    drained: bool,
    /// The phases that had tasks when the deadlines were laid out.
    planned: BTreeSet<Phase>,
    /// A phase that was not planned was abandoned, or had its least time.
    overran: bool,
    escalated: Option<Tick>,
    phases_since_escalation: BTreeSet<Phase>,
    nested_since_escalation: BTreeSet<Phase>,
}

#[derive(Clone, Copy, Debug)]
struct Task {
    key: usize,
    phase: Phase,
    kind: Kind,
    stop_timeout: Option<Duration>,
    is_nested: bool,
    asked: Option<Tick>,
    /// When the first of the times passes that it was given alone.
    given: Option<Tick>,
    aborted: Option<Tick>,
    /// Until when a nested group is waited for beyond its phase.
    kept: Option<Tick>,
}

impl Task {
    /// When the first of its own limits passes: its stop timeout, from the first request on, and
    /// the times that it was given.
    fn due(&self) -> Option<Tick> {
        let timeout = self.asked.zip(self.stop_timeout).map(|(asked, timeout)| asked + timeout);
        timeout.into_iter().chain(self.given).min()
    }
}

impl Model {
    pub(super) fn new(budgets: Budgets, only_failures_stop: bool, start: Option<Duration>) -> Self {
        Self {
            machine: Machine::new(budgets.clone(), only_failures_stop, start),
            budgets,
            only_failures_stop,
            now: Tick::ZERO,
            is_punctual: true,
            alive: Vec::new(),
            admitted: 0,
            had_work: false,
            was_ready: false,
            waited: false,
            shutdown: None,
            step: Step::Running,
            stopped: BTreeSet::new(),
            aborted: BTreeMap::new(),
            cleanups: Vec::new(),
            registered: 0,
            running: 0,
            cleanup_aborted: None,
            cleaning_since: None,
            cleans_without_end: false,
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

    pub(super) fn drains_with_outer(&self) -> bool {
        self.shutdown.as_ref().is_some_and(|shutdown| shutdown.with_outer)
    }

    /// Lets one event happen, and everything that is due because of it.
    pub(super) fn happen(&mut self, event: Event) {
        match event {
            Event::Admit(phase, kind) => self.admit(phase, kind, None, false),
            Event::AdmitLimited(phase, limit) => {
                self.admit(phase, Kind::Ephemeral, Some(limit), false);
            }
            Event::AdmitNested(phase) => self.admit(phase, Kind::Ephemeral, None, true),
            Event::StopOne(index) if !self.alive.is_empty() => {
                let index = index % self.alive.len();
                self.ask(index);
            }
            Event::StopOneWithin(index, limit) if !self.alive.is_empty() => {
                let index = index % self.alive.len();
                self.ask(index);
                self.limit(index, limit);
            }
            Event::StopOne(_) | Event::StopOneWithin(..) => {}
            Event::End(index, outcome) if !self.alive.is_empty() => {
                let Task { key, phase, kind, .. } =
                    self.alive.swap_remove(index % self.alive.len());
                let trigger = self.machine.task_ended(key, phase, kind, outcome);
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
            Event::Started => {
                self.was_ready = true;
                self.machine.started();
            }
            Event::AddCleanup => self.add_cleanup(false),
            Event::AddBeside => self.add_cleanup(true),
            Event::EndCleanup => {
                if self.running > 0 {
                    self.running -= 1;
                    self.machine.cleanup_ended();
                }
            }
            Event::Pass(time) => {
                let to = self.now + time;
                self.now = self.machine.next_due().map_or(to, |due| due.min(to));
            }
            Event::PassToDue => {
                let due = self.machine.next_due().filter(|due| *due < Tick::MAX);
                self.now = due.unwrap_or(self.now);
            }
            Event::Oversleep(time) => {
                let to = self.now + time;
                self.is_punctual &= self.machine.next_due().is_none_or(|due| to <= due);
                self.now = to;
            }
        }
        self.settle();
    }

    fn add_cleanup(&mut self, beside: bool) {
        let is_admitted = self.machine.add_cleanup(beside);
        assert_eq!(is_admitted, !self.ended, "refused after the end, and only then");
        if is_admitted {
            self.cleanups.push((self.registered, beside));
            self.registered += 1;
        }
    }

    /// Asks a task to stop, as the manager does.
    fn ask(&mut self, index: usize) {
        let Task { key, phase, stop_timeout, asked, aborted, .. } = &mut self.alive[index];
        let asked = *asked.get_or_insert(self.now);
        if let Some(timeout) = stop_timeout.filter(|_| aborted.is_none()) {
            self.machine.task_asked(*key, *phase, asked, timeout);
        }
    }

    /// Limits a task that was just asked to stop, as the manager does.
    fn limit(&mut self, index: usize, limit: Duration) {
        let now = self.now;
        let task = &mut self.alive[index];
        if task.aborted.is_some() {
            return;
        }
        let before = task.due();
        let is_its_limit = self.machine.task_limited(task.key, task.phase, now, limit);
        task.given = task.given.into_iter().chain([now + limit]).min();
        assert_eq!(is_its_limit, before.is_none_or(|before| now + limit <= before), "{task:?}");
    }

    /// Invariant 4: in full, or not at all.
    fn admit(&mut self, phase: Phase, kind: Kind, stop_timeout: Option<Duration>, is_nested: bool) {
        let is_closed = self.step() > Step::Stopping
            || self.stopped.last().is_some_and(|stopped| phase <= *stopped);
        let before = self.deadlines_shown();
        let is_admitted = self.machine.admit(phase, stop_timeout);
        assert_eq!(is_admitted, !is_closed, "closed when its phase is stopped, and not before");
        assert_eq!(self.deadlines_shown(), before, "Invariant 3: an admission moves no deadline");
        if is_admitted {
            let key = self.admitted;
            self.admitted += 1;
            let (asked, given, aborted, kept) = (None, None, None, None);
            self.alive.push(Task {
                key,
                phase,
                kind,
                stop_timeout,
                is_nested,
                asked,
                given,
                aborted,
                kept,
            });
            self.had_work |= Phase::SETUP < phase && phase < Phase::SUPPORT;
            if let Some(shutdown) = &mut self.shutdown {
                shutdown.phases_since_escalation.insert(phase);
                shutdown.nested_since_escalation.extend(is_nested.then_some(phase));
                let deadline = self.machine.deadline(phase);
                assert_eq!(deadline.is_some(), shutdown.end.is_some(), "it has its deadline");
            }
        }
    }

    /// Invariant 3: the first counts, and of the others only the limits of the outer group.
    fn trigger(&mut self, trigger: Trigger, limit: Option<Duration>) {
        let with_outer = trigger == Trigger::OuterDrain;
        let is_first = self.machine.trigger(self.now, trigger, limit);
        assert_eq!(is_first, self.shutdown.is_none());
        if is_first {
            let own = self.budgets.total.limit();
            let total = own.into_iter().chain(limit).min().filter(|_| !with_outer);
            // Most of a limit that the builder could not check is kept for the tasks.
            let lent = total.filter(|total| own.is_none_or(|own| *total < own));
            let most = |budget: Duration| lent.map_or(budget, |total| budget.min(total / 4));
            let drain = match trigger {
                // Nothing knows of a group that was never ready, or is being set up.
                _ if !self.was_ready || self.has_alive(Phase::SETUP) => Duration::ZERO,
                Trigger::Request | Trigger::OuterDrain => self.budgets.drain,
                Trigger::Failure if self.has_ingress() => self.budgets.drain,
                Trigger::Failure | Trigger::Plain | Trigger::OuterStop => Duration::ZERO,
            };
            self.shutdown = Some(Shutdown {
                cleanup: most(self.budgets.cleanup),
                drain_end: self.now + most(drain),
                end: total.map(|total| self.now + total),
                with_outer,
                tightened: false,
                drained: false,
                planned: self.living_phases(),
                overran: false,
                escalated: None,
                phases_since_escalation: BTreeSet::new(),
                nested_since_escalation: BTreeSet::new(),
            });
        } else if trigger == Trigger::OuterStop || with_outer && !self.drains_with_outer() {
            if trigger == Trigger::OuterStop {
                self.end_drain();
            }
            if let Some(limit) = limit {
                self.tighten(limit);
            }
        }
    }

    /// The total of a group that drained with the outer one is counted from now on.
    fn end_drain(&mut self) {
        let planned = self.living_phases();
        let Some(shutdown) = &mut self.shutdown else { return };
        shutdown.drain_end = shutdown.drain_end.min(self.now);
        if std::mem::take(&mut shutdown.with_outer) {
            shutdown.end = self.budgets.total.limit().map(|total| self.now + total);
            shutdown.planned = planned;
        }
    }

    /// What the outer group has left is a limit, if it is the smaller one.
    fn tighten(&mut self, limit: Duration) {
        let (end, is_cleaning) = (self.now + limit, self.cleaning_since.is_some());
        if let Some(shutdown) = &mut self.shutdown
            && shutdown.end.is_none_or(|own| end < own)
        {
            shutdown.end = Some(end);
            shutdown.tightened = true;
            shutdown.drain_end = shutdown.drain_end.min(self.now + limit / 4);
            if !is_cleaning {
                let quarters = if shutdown.escalated.is_some() { 3 } else { 1 };
                shutdown.cleanup = shutdown.cleanup.min(limit / 4 * quarters);
            }
        }
    }

    fn escalate(&mut self, level: Escalation) {
        self.trigger(Trigger::Request, None);
        self.machine.escalate(self.now, level);
        self.end_drain();
        let phases = self.living_phases();
        let nested = self.alive.iter().filter(|task| task.is_nested).map(|task| task.phase);
        let nested = nested.collect();
        if let Some(shutdown) = &mut self.shutdown
            && level == Escalation::Abort
            && shutdown.escalated.is_none()
        {
            shutdown.escalated = Some(self.now);
            shutdown.phases_since_escalation = phases;
            shutdown.nested_since_escalation = nested;
        }
    }

    /// Carries out what is due, as the manager does, and judges it.
    fn settle(&mut self) {
        for _ in 0..1_000 {
            let Some(action) = self.machine.advance(self.now) else { return self.check() };
            self.judge(action);
        }
        panic!("it never settles: {self:?}");
    }

    /// Checks what the machine shows when nothing is due.
    fn check(&mut self) {
        assert!(self.machine.step() >= self.step, "steps only go forward");
        self.step = self.machine.step();
        assert_eq!(self.step == Step::Running, self.shutdown.is_none());
        assert_eq!(self.step == Step::Ended, self.ended);
        assert!(!(self.step == Step::Running && self.waited && self.is_complete()), "{self:?}");
        match self.machine.next_due() {
            Some(due) => assert!(due > self.now, "due, and nothing was done: {self:?}"),
            None => assert!(matches!(self.step, Step::Running | Step::Ended), "asleep: {self:?}"),
        }
        for task in self.alive.iter().filter(|task| task.aborted.is_none()) {
            assert!(task.due().is_none_or(|due| due > self.now), "its limit passed: {self:?}");
        }
        if self.drains_with_outer() {
            let is_draining = self.step == Step::Draining;
            assert_ne!(is_draining, self.alive.is_empty(), "while a task is alive: {self:?}");
        } else if self.step == Step::Draining {
            assert!(!self.is_drained(), "drains for nothing: {self:?}");
        }
        // Also of phases without tasks: a task of them may be admitted later.
        for (phase, deadline) in self.deadlines_shown() {
            assert!(!self.drains_with_outer(), "a deadline before the outer stop: {self:?}");
            if self.stopped.last().is_some_and(|stopped| phase < *stopped) {
                assert!(deadline <= self.now, "its tasks are gone, or abandoned: {self:?}");
                continue;
            }
            let before = self.deadlines.insert(phase, deadline).unwrap_or(deadline);
            // But for the least time of a phase whose turn came too late.
            let plan = self.machine.plan().filter(|plan| plan.stopped() == Some(phase));
            let least = plan.and_then(|plan| Some(plan.stopped_at()? + plan.join(phase)));
            let latest = before.max(least.unwrap_or_default());
            assert!(deadline <= latest, "the deadline of {phase:?} moved later: {self:?}");
        }
    }

    fn deadlines_shown(&self) -> Vec<(Phase, Tick)> {
        let fixed = [0, 50, 100, 150, 200, 255].map(Phase::new).into_iter();
        let phases = fixed.chain(self.alive.iter().map(|task| task.phase));
        phases.filter_map(|phase| Some((phase, self.machine.deadline(phase)?))).collect()
    }

    fn living_phases(&self) -> BTreeSet<Phase> {
        self.alive.iter().map(|task| task.phase).collect()
    }

    fn is_complete(&self) -> bool {
        let is_beside = |phase| phase == Phase::SETUP || self.had_work && phase >= Phase::SUPPORT;
        self.alive.iter().all(|task| is_beside(task.phase))
    }

    /// Whether a drain of the group's own is over, or only support is left.
    pub(super) fn is_drained(&self) -> bool {
        let is_over = self.shutdown.as_ref().is_some_and(|shutdown| shutdown.drain_end <= self.now);
        let is_beside = |phase| phase == Phase::SETUP || phase >= Phase::SUPPORT;
        is_over || self.alive.iter().all(|task| is_beside(task.phase))
    }

    fn has_ingress(&self) -> bool {
        self.alive.iter().any(|task| Phase::SETUP < task.phase && task.phase <= Phase::INGRESS)
    }

    fn has_alive(&self, phase: Phase) -> bool {
        self.alive.iter().any(|task| task.phase == phase)
    }
}
