//! The life of a group as a pure state machine: no clock, no runtime, no lock, no user code.
//!
//! The shell (`shared.rs`, `drive.rs`) tells it what happened and at which time, and asks [`Machine::advance`] what is
//! due until nothing is. It is called under the manager's one lock by whoever is awake: a task that ends, a timer, the
//! deadline thread. Since every step is decided here and carried out elsewhere, a caller that is stuck while carrying
//! one out keeps nobody else from the next one.

use std::time::Duration;

use task_core::{Outcome, Phase, Step};

use crate::lifecycle::plan::{Budgets, Plan, Tick};

pub(crate) use self::action::{Action, Kind, Trigger};
use self::alive::Alive;
use self::wait::{Overdue, Wait};

mod action;
mod alive;
mod hurry;
#[cfg(test)]
mod tests;
mod wait;

/// How often those who are still there are named.
const REMINDER: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(crate) struct Machine {
    budgets: Budgets,
    /// Whether a critical task's clean end leaves the group running too.
    only_failures_stop: bool,
    start_deadline: Option<Tick>,
    step: Step,
    step_began: Tick,
    alive: Alive,
    had_work: bool,
    waited: bool,
    plan: Option<Plan>,
    drain_told: bool,
    /// The highest phase that was stopped: admission is closed up to it.
    stopped: Option<Phase>,
    /// The tasks of the phase being stopped, or the cleanup that runs.
    wait: Option<Wait>,
    cleanups: usize,
    cleaning_end: Option<Tick>,
    remind_at: Option<Tick>,
}

impl Machine {
    pub(crate) fn new(budgets: Budgets, only_failures_stop: bool, start: Option<Duration>) -> Self {
        Self {
            budgets,
            only_failures_stop,
            start_deadline: start,
            step: Step::Running,
            step_began: Tick::ZERO,
            alive: Alive::default(),
            had_work: false,
            waited: false,
            plan: None,
            drain_told: false,
            stopped: None,
            wait: None,
            cleanups: 0,
            cleaning_end: None,
            remind_at: None,
        }
    }

    pub(crate) fn step(&self) -> Step {
        self.step
    }

    pub(crate) fn step_began(&self) -> Tick {
        self.step_began
    }

    pub(crate) fn waited(&self) -> bool {
        self.waited
    }

    pub(crate) fn plan(&self) -> Option<&Plan> {
        self.plan.as_ref()
    }

    /// Invariant 4: decided under the same lock as the stop of the phase. Returns whether the task is admitted.
    pub(crate) fn admit(&mut self, phase: Phase, now: Tick) -> bool {
        if self.step > Step::Stopping || self.stopped.is_some_and(|stopped| phase <= stopped) {
            return false;
        }
        self.alive.add(phase);
        self.had_work |= !phase.is_support();
        if let Some(plan) = &mut self.plan {
            plan.add_phase(phase, now, self.stopped);
        }
        true
    }

    /// Takes note of the end of a task, and tells whether that triggers a shutdown. The caller records the cause.
    pub(crate) fn task_ended(
        &mut self,
        phase: Phase,
        kind: Kind,
        outcome: Outcome,
    ) -> Option<Trigger> {
        self.alive.subtract(phase);
        match kind {
            _ if !outcome.is_clean() => Some(Trigger::Failure),
            kind if self.lets_end(kind) => None,
            _ => Some(Trigger::Request),
        }
    }

    /// Tells whether the group goes on without tasks of this kind that end cleanly.
    pub(crate) fn lets_end(&self, kind: Kind) -> bool {
        self.only_failures_stop || kind == Kind::Ephemeral
    }

    /// Tells whether the drain is over, or there is nothing left to drain for.
    fn is_drained(&self, now: Tick) -> bool {
        let Some(plan) = &self.plan else { return true };
        // Support tasks of a group that drains with the one around it may support that one.
        let has_work = self.alive.any(|phase| plan.drains_with_outer || !phase.is_support());
        plan.drain_end <= now || !has_work
    }

    /// Returns the phase that is stopped now, right after the drain was told of; `None` if the drain takes its time.
    pub(crate) fn stopped_next(&self, now: Tick) -> Option<Phase> {
        self.alive.phases().next().filter(|_| self.is_drained(now))
    }

    /// Tells whether a task of any other phase is alive.
    pub(crate) fn is_alive_beside(&self, phase: Phase) -> bool {
        self.alive.any(|other| other != phase)
    }

    /// Begins the shutdown. Invariant 3: only the first call does, and it fixes the deadlines. Returns whether it was
    /// the first.
    pub(crate) fn trigger(&mut self, now: Tick, trigger: Trigger, limit: Option<Duration>) -> bool {
        if self.plan.is_some() {
            self.follow_outer(now, trigger, limit);
            return false;
        }
        let drains = trigger == Trigger::Request
            || trigger == Trigger::Failure && self.alive.any(|phase| phase <= Phase::INGRESS);
        let plan = match trigger {
            Trigger::OuterDrain => Plan::with_outer(now, &self.budgets, self.alive.phases()),
            _ => Plan::new(now, &self.budgets, limit, drains, self.alive.phases()),
        };
        self.plan = Some(plan);
        self.enter(Step::Draining, now);
        true
    }

    /// Takes note that somebody waits: from now on, completion is judged.
    pub(crate) fn wait_began(&mut self) {
        self.waited = true;
    }

    /// Takes note that every gating task was ready once.
    pub(crate) fn has_started(&mut self) {
        self.start_deadline = None;
    }

    /// Takes note of a cleanup. Returns whether it will still be run.
    pub(crate) fn add_cleanup(&mut self) -> bool {
        let admitted = self.step < Step::Ended;
        self.cleanups += usize::from(admitted);
        admitted
    }

    pub(crate) fn cleanup_ended(&mut self) {
        self.wait = None;
    }

    /// Returns what is due, one action at a time, until `None`.
    pub(crate) fn advance(&mut self, now: Tick) -> Option<Action> {
        if matches!(self.step, Step::Stopping | Step::CleaningUp)
            && self.remind_at.is_some_and(|at| at <= now)
        {
            self.remind_at = Some(now.saturating_add(REMINDER));
            return Some(Action::Remind);
        }
        match self.step {
            Step::Running => {
                if self.is_complete() {
                    Some(Action::Complete)
                } else {
                    self.start_deadline.take_if(|at| *at <= now).map(|_| Action::StartTimeout)
                }
            }
            Step::Draining => {
                if !std::mem::replace(&mut self.drain_told, true) {
                    return Some(Action::Drain);
                }
                if !self.is_drained(now) {
                    return None;
                }
                self.enter(Step::Stopping, now);
                self.remind_at = Some(now.saturating_add(REMINDER));
                self.advance(now)
            }
            Step::Stopping => self.advance_stop(now),
            Step::CleaningUp => self.advance_cleanup(now),
            // Ended: the machine makes no other steps.
            _ => None,
        }
    }

    fn is_complete(&self) -> bool {
        self.waited && !self.alive.any(|phase| !self.had_work || !phase.is_support())
    }

    fn advance_stop(&mut self, now: Tick) -> Option<Action> {
        let plan = self.plan.as_mut()?;
        if let (Some(wait), Some(phase)) = (&mut self.wait, self.stopped) {
            if self.alive.any(|alive| alive == phase) {
                // It may have moved: for a phase that was added since, or in a hurry.
                wait.deadline = plan.deadline(phase);
                let overdue = wait.overdue(now, plan.end)?;
                if overdue == Overdue::Deadline {
                    return Some(Action::Abort(phase));
                }
                self.alive.forget(phase);
                self.wait = None;
                return Some(Action::Abandon(phase));
            }
            self.wait = None;
        }
        let Some(phase) = self.alive.phases().next() else {
            let latest = now.saturating_add(plan.cleanup);
            self.cleaning_end = Some(plan.end.map_or(latest, |end| end.min(latest)));
            self.enter(Step::CleaningUp, now);
            return self.advance(now);
        };
        plan.stop(phase, now);
        self.wait = Some(Wait::new(plan.deadline(phase), plan.join));
        self.stopped = Some(phase);
        Some(Action::Stop(phase))
    }

    fn advance_cleanup(&mut self, now: Tick) -> Option<Action> {
        if let Some(wait) = &mut self.wait {
            let overdue = wait.overdue(now, self.cleaning_end)?;
            if overdue == Overdue::Deadline {
                return Some(Action::AbortCleanup);
            }
            self.wait = None;
            return Some(Action::AbandonCleanup);
        }
        if self.cleanups == 0 {
            self.enter(Step::Ended, now);
            return Some(Action::End);
        }
        let left = self.cleaning_end.map_or(Duration::ZERO, |end| end.saturating_sub(now));
        let join = self.plan.as_ref().map_or(Duration::ZERO, |plan| plan.join);
        let wait = Wait::share(now, left, self.cleanups, join);
        self.cleanups -= 1;
        if left.is_zero() {
            return Some(Action::SkipCleanup);
        }
        self.wait = Some(wait);
        Some(Action::Clean)
    }

    /// Tells whether the end of a task leaves [`advance`](Self::advance) with nothing to do before the next deadline:
    /// cheaper to ask than to let it look, and nearly always so.
    pub(crate) fn is_waiting(&self) -> bool {
        match self.step {
            Step::Running => !self.is_complete(),
            Step::Stopping => {
                self.wait.is_some() && self.alive.any(|phase| Some(phase) == self.stopped)
            }
            _ => false,
        }
    }

    /// Returns when the next call of [`advance`](Self::advance) is due, if nothing happens before.
    pub(crate) fn next_due(&self) -> Option<Tick> {
        let due = match self.step {
            Step::Running => return self.start_deadline,
            Step::Draining => return self.plan.as_ref().map(|plan| plan.drain_end),
            Step::Stopping | Step::CleaningUp => self.wait.as_ref().and_then(Wait::due),
            _ => return None,
        };
        due.into_iter().chain(self.remind_at).min()
    }

    /// Returns when the tasks of a phase, once a shutdown has begun, are aborted.
    pub(crate) fn deadline(&self, phase: Phase) -> Option<Tick> {
        self.plan.as_ref()?.deadline(phase)
    }

    fn enter(&mut self, step: Step, now: Tick) {
        self.step = step;
        self.step_began = now;
    }
}
