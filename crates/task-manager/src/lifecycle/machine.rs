//! The life of a group as a pure state machine.
//!
//! The steps follow each other in the order of [`Step`] and never go back:
//!
//! ```text
//! Running ── trigger ──> Draining ──> Stopping, phase by phase ──> CleaningUp ──> Ended
//! ```
//!
//! Each event has a method, which records it: [`admit`](Machine::admit),
//! [`task_asked`](Machine::task_asked), [`task_limited`](Machine::task_limited),
//! [`nested_aborted`](Machine::nested_aborted), [`task_ended`](Machine::task_ended),
//! [`trigger`](Machine::trigger), [`escalate`](Machine::escalate),
//! [`add_cleanup`](Machine::add_cleanup),
//! [`cleanup_ended`](Machine::cleanup_ended), [`add_telemetry`](Machine::add_telemetry),
//! [`wait_began`](Machine::wait_began), [`started`](Machine::started). What follows
//! from it, or from the time that has passed, [`advance`](Machine::advance) returns afterwards, one
//! [`Action`] at a time until there is none.
//!
//! | step | a task is admitted | a trigger | an escalation | actions, in this order |
//! |---|---|---|---|---|
//! | Running | yes | begins the shutdown | – (the caller triggers first) | `Complete` or `StartTimeout` |
//! | Draining | yes | outer group's: a limit; its stop ends the drain | ends the drain | `Drain` |
//! | Stopping | above the stopped phase | outer group's: a limit | shortens the grace | of each phase: `Stop`, `Abort`, `Abandon` |
//! | CleaningUp | no | outer group's: a limit | shortens the cleanups | of each set of cleanups: `Clean`, `AbortCleanups`, `AbandonCleanups`, or `SkipCleanups`; then `End` |
//! | Ended | no | – | – | – |
//!
//! What ends by itself is neither aborted nor abandoned. A task with a stop timeout that was asked
//! to stop has `AbortTask` and `AbandonTask` of its own, in any step, and so has one that alone was
//! asked to end within a time. `Remind` comes every five
//! seconds in between. `Stop` follows `Drain` at once where there is nothing to drain for.
//!
//! The rest are questions. [`deadline_of`](Machine::deadline_of): how long may a task run?
//! [`limit`](Machine::limit): what ends a phase? [`waits_until`](Machine::waits_until): when is
//! what is waited for aborted or abandoned?
//! [`next_due`](Machine::next_due): when must `advance` be called again, if nothing happens?
//! [`is_waiting`](Machine::is_waiting): need it be called now?
//! [`lets_end`](Machine::lets_end): does the group go on without such a task?
//! [`stopped_next`](Machine::stopped_next) and [`is_alive_beside`](Machine::is_alive_beside): which
//! tasks need no notification of the drain?
//!
//! There is no supervisor task: the thread that observes an event advances the machine, under the
//! manager's lock (Invariant 4), and carries out the actions after it has released the lock
//! (Invariant 9). The machine has moved on by then, so a thread that blocks while it carries out
//! one step does not delay the next (Invariant 3). The machine reads no clock: the instant is an
//! argument, and one that comes late finds every step still due, in order.

use std::time::Duration;

use task_core::{Escalation, Outcome, Phase, Step, Timeout};

use crate::lifecycle::plan::{Budgets, Limit, Plan, Present, Tick};

pub(crate) use self::action::{Action, Kind, Trigger};
use self::{
    alive::Alive,
    cleanups::Cleanups,
    limits::Limits,
    wait::{Overdue, Wait},
};

mod action;
mod alive;
mod cleanups;
mod limits;
mod single;
#[cfg(test)]
mod tests;
mod wait;

/// How often the shutdown logs what it waits for.
const REMINDER: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(crate) struct Machine {
    budgets: Budgets,
    /// Whether a critical task's clean end leaves the group running too.
    only_failures_stop: bool,
    /// Until when every gating task must have been ready; `None` once they were.
    start_deadline: Option<Tick>,
    /// Whether every gating task was ready once.
    was_ready: bool,
    step: Step,
    step_began: Tick,
    alive: Alive,
    /// Whether any task was admitted that [is work](is_work).
    had_work: bool,
    waited: bool,
    /// Exists from the trigger on.
    plan: Option<Plan>,
    /// Whether [`Action::Drain`] was returned.
    has_notified_drain: bool,
    /// The phase being stopped.
    wait: Option<(Phase, Wait)>,
    /// The tasks that are waited for one by one.
    limits: Limits,
    cleanups: Cleanups,
    /// What is kept for telemetry after the end; zero if there is none.
    telemetry: Duration,
    remind_at: Option<Tick>,
}

impl Machine {
    /// Makes the machine of a group that is to be ready `start` after it was made.
    pub(crate) fn new(budgets: Budgets, only_failures_stop: bool, start: Option<Duration>) -> Self {
        Self {
            budgets,
            only_failures_stop,
            start_deadline: start,
            was_ready: false,
            step: Step::Running,
            step_began: Tick::ZERO,
            alive: Alive::default(),
            had_work: false,
            waited: false,
            plan: None,
            has_notified_drain: false,
            wait: None,
            limits: Limits::default(),
            cleanups: Cleanups::default(),
            telemetry: Duration::ZERO,
            remind_at: None,
        }
    }

    pub(crate) fn step(&self) -> Step {
        self.step
    }

    pub(crate) fn step_began(&self) -> Tick {
        self.step_began
    }

    /// Returns whether a `wait` was polled.
    pub(crate) fn waited(&self) -> bool {
        self.waited
    }

    /// Returns the deadlines of the shutdown, once it has begun.
    pub(crate) fn plan(&self) -> Option<&Plan> {
        self.plan.as_ref()
    }

    /// Counts a task in, unless its phase is closed. Returns whether it is admitted.
    ///
    /// Invariant 4: this is decided under the same lock as the stop of the phase. A task is
    /// admitted before that, and then stopped with its phase, or refused.
    pub(crate) fn admit(&mut self, phase: Phase, stop_timeout: Option<Duration>) -> bool {
        let stopped = self.plan.as_ref().and_then(Plan::stopped);
        // A phase below the one being stopped is closed too: its turn does not come again.
        if self.step > Step::Stopping || stopped.is_some_and(|stopped| phase <= stopped) {
            return false;
        }
        self.alive.add(phase, stop_timeout);
        self.had_work |= is_work(phase);
        // Invariant 3: the plan stays as it is, also for a phase that first appears now.
        true
    }

    /// Records the end of a task. Returns the trigger that it is, if any: the caller calls
    /// [`trigger`](Self::trigger) with it and records the cause.
    pub(crate) fn task_ended(
        &mut self,
        key: usize,
        phase: Phase,
        kind: Kind,
        outcome: Outcome,
    ) -> Option<Trigger> {
        self.alive.subtract(phase);
        self.limits.remove(key);
        // Whether a shutdown is under way does not matter: then it is a later trigger.
        if !outcome.is_clean() {
            Some(Trigger::Failure)
        } else if self.lets_end(kind) {
            None
        } else {
            Some(Trigger::Request)
        }
    }

    /// Returns whether the group goes on when a task of this kind ends cleanly.
    pub(crate) fn lets_end(&self, kind: Kind) -> bool {
        self.only_failures_stop || kind == Kind::Ephemeral
    }

    /// Returns the phase that is stopped `now`, at once after [`Action::Drain`]; `None` if the
    /// drain takes its time. Tasks of that phase need no notification of the drain.
    pub(crate) fn stopped_next(&self, now: Tick) -> Option<Phase> {
        self.alive.phases().next().filter(|_| self.is_drained(now))
    }

    /// Returns whether a task of any other phase is alive.
    pub(crate) fn is_alive_beside(&self, phase: Phase) -> bool {
        self.alive.any(|other| other != phase)
    }

    /// Returns whether a task that accepts requests is alive.
    pub(crate) fn has_ingress(&self) -> bool {
        self.alive.any(|phase| phase <= Phase::INGRESS && phase != Phase::SETUP)
    }

    /// Begins the shutdown, for a nested group within the outer one's `limit`. Returns whether it
    /// was the first trigger.
    ///
    /// Invariant 3: only the first one fixes the deadlines. Later ones change nothing, except that
    /// the outer group may have less time left than this one.
    pub(crate) fn trigger(&mut self, now: Tick, trigger: Trigger, limit: Option<Duration>) -> bool {
        // The outer group's limit is for all of this one.
        let limit = limit.map(|limit| {
            self.telemetry = self.telemetry.min(limit / 5);
            limit - self.telemetry
        });
        if self.plan.is_some() {
            self.follow_outer(now, trigger, limit);
            return false;
        }
        let (budgets, alive, present) = (&self.budgets, &self.alive, self.present());
        // A group that was never ready has been sent nothing, nor has one that is being set up.
        let may_drain = self.was_ready && !alive.any(|phase| phase == Phase::SETUP);
        let plan = match trigger {
            // The limit comes with the outer stop: what is left by then.
            Trigger::OuterDrain => Plan::with_outer(now, budgets),
            Trigger::Request => Plan::new(now, budgets, limit, may_drain, &present),
            Trigger::Failure => {
                // While requests come in, load balancers need the drain to send them elsewhere.
                Plan::new(now, budgets, limit, may_drain && self.has_ingress(), &present)
            }
            // The outer group's drain, which was this one's too, is over.
            Trigger::Plain | Trigger::OuterStop => Plan::new(now, budgets, limit, false, &present),
        };
        self.plan = Some(plan);
        self.enter(Step::Draining, now);
        true
    }

    /// Returns what has a part in a layout.
    fn present(&self) -> Present {
        let phases = self.alive.with_longest().map(|(phase, longest)| {
            (phase, longest.into_iter().chain(self.budgets.of_phase(phase)).min())
        });
        Present { phases: phases.collect(), has_cleanups: !self.cleanups.is_empty() }
    }

    /// Keeps a shutdown that has begun within what the outer group has left.
    fn follow_outer(&mut self, now: Tick, trigger: Trigger, limit: Option<Duration>) {
        let present = self.present();
        let Some(plan) = &mut self.plan else { return };
        match trigger {
            Trigger::OuterStop => plan.end_drain(now, self.budgets.total.limit(), &present),
            // Drains with the outer group already: nothing is due before the outer stop.
            Trigger::OuterDrain if plan.drains_with_outer => return,
            // This group's shutdown began by itself: it keeps its own course, within the limit.
            Trigger::OuterDrain => {}
            // Only the record knows of later triggers of the group's own.
            Trigger::Request | Trigger::Failure | Trigger::Plain => return,
        }
        if let Some(limit) = limit {
            plan.tighten(now, limit, &present);
        }
        // Cleanups that run already have an end of their own, which the plan does not move.
        if let Some(end) = plan.end {
            self.cleanups.shorten(now, end, plan.join);
        }
    }

    /// Makes a shutdown that has begun end sooner: without a drain and, from
    /// [`Escalation::Abort`] on, with the shortest grace and the short budget for cleanups.
    pub(crate) fn escalate(&mut self, now: Tick, level: Escalation) {
        let present = self.present();
        // The caller triggers the shutdown before it escalates.
        let Some(plan) = &mut self.plan else { return };
        plan.end_drain(now, self.budgets.total.limit(), &present);
        if level >= Escalation::Abort {
            let cleanup = self.budgets.escalated_cleanup;
            plan.escalate(cleanup);
            self.cleanups.shorten(now, now.saturating_add(cleanup), plan.join);
        }
    }

    /// Records that a caller waits: from now on, the group may be complete.
    pub(crate) fn wait_began(&mut self) {
        self.waited = true;
    }

    /// Records that every gating task was ready once.
    pub(crate) fn started(&mut self) {
        self.start_deadline = None;
        self.was_ready = true;
    }

    /// Counts a cleanup in, which may run `beside` the one that was registered before it. Returns
    /// whether it will still run.
    pub(crate) fn add_cleanup(&mut self, beside: bool) -> bool {
        // While others run too: a cleanup may register the next one (FAILURES 34).
        let is_admitted = self.step < Step::Ended;
        if is_admitted {
            self.cleanups.add(beside);
        }
        is_admitted
    }

    /// Keeps time for telemetry, which the total includes, unless the shutdown has begun. Returns
    /// whether it did.
    pub(crate) fn add_telemetry(&mut self, time: Duration) -> bool {
        let may_add = self.plan.is_none();
        if may_add && self.telemetry.is_zero() {
            self.telemetry = time;
            if let Timeout::After(total) = &mut self.budgets.total {
                *total = total.saturating_sub(time);
            }
        }
        may_add
    }

    /// Returns how long telemetry has after the end.
    pub(crate) fn telemetry(&self) -> Duration {
        self.telemetry
    }

    /// Records that one of the running cleanups has ended.
    pub(crate) fn cleanup_ended(&mut self) {
        self.cleanups.ended();
    }

    /// Returns what is due, one action at a time, until `None`.
    pub(crate) fn advance(&mut self, now: Tick) -> Option<Action> {
        // Before the step, which may be about to abandon what the reminder is to name.
        if self.remind_at.is_some_and(|at| at <= now) {
            self.remind_at = Some(now.saturating_add(REMINDER));
            return Some(Action::Remind);
        }
        let end = self.plan.as_ref().and_then(|plan| plan.end);
        match self.limits.overdue(now, end) {
            Some((key, Overdue::Deadline)) => return Some(Action::AbortTask(key)),
            Some((key, Overdue::Join)) => {
                // Invariant 7: the group goes on without it, and the report names it.
                self.limits.remove(key).into_iter().for_each(|phase| self.alive.subtract(phase));
                return Some(Action::AbandonTask(key));
            }
            None => {}
        }
        match self.step {
            Step::Running if self.is_complete() => Some(Action::Complete),
            // Taken, not read: it passes once.
            Step::Running => {
                self.start_deadline.take_if(|at| *at <= now).map(|_| Action::StartTimeout)
            }
            Step::Draining => self.advance_drain(now),
            Step::Stopping => self.advance_stop(now),
            Step::CleaningUp => self.advance_cleanup(now),
            // `Ended`, the last step. `Step` is `non_exhaustive`, so the compiler wants the rest.
            _ => None,
        }
    }

    fn advance_drain(&mut self, now: Tick) -> Option<Action> {
        // Also without a delay: tasks of later phases are to know of the shutdown at its trigger.
        if !std::mem::replace(&mut self.has_notified_drain, true) {
            return Some(Action::Drain);
        }
        if !self.is_drained(now) {
            return None;
        }
        self.enter(Step::Stopping, now);
        self.remind_at = Some(now.saturating_add(REMINDER));
        self.advance_stop(now)
    }

    fn advance_stop(&mut self, now: Tick) -> Option<Action> {
        let plan = self.plan.as_mut()?;
        if let Some((phase, wait)) = &mut self.wait
            && self.alive.any(|alive| alive == *phase)
        {
            let phase = *phase;
            // Read anew each time: a limit or an escalation may have moved it earlier.
            wait.tighten(plan.deadline(phase), plan.join(phase));
            return match wait.overdue(now, plan.end)? {
                Overdue::Deadline => {
                    self.limits.phase_aborted(phase);
                    Some(Action::Abort(phase))
                }
                Overdue::Join => {
                    // Invariant 7: the shutdown goes on without these, and the report names them.
                    self.limits.phase_abandoned(phase);
                    self.alive.forget(phase, self.limits.left_of(phase));
                    wait.lift();
                    Some(Action::Abandon(phase))
                }
            };
        }
        self.wait = None;
        // The lowest, whichever it is by now: phases come and go until they are stopped.
        let Some(phase) = self.alive.phases().next() else {
            // Invariant 8: no cleanup begins while a task is alive that was not abandoned.
            self.cleanups.begin(plan.cleanup_end(now));
            self.enter(Step::CleaningUp, now);
            return self.advance_cleanup(now);
        };
        plan.stop(phase, now, self.budgets.of_phase(phase));
        self.wait = Some((phase, Wait::new(plan.deadline(phase), plan.join(phase))));
        Some(Action::Stop(phase))
    }

    fn advance_cleanup(&mut self, now: Tick) -> Option<Action> {
        let join = self.plan.as_ref()?.join;
        let action = self.cleanups.advance(now, join)?;
        if action == Action::End {
            self.enter(Step::Ended, now);
            self.remind_at = None;
        }
        Some(action)
    }

    /// Returns whether the end of a task leaves [`advance`](Self::advance) with nothing to do
    /// before the next deadline. That is nearly always so, and cheaper to ask than to find out.
    pub(crate) fn is_waiting(&self) -> bool {
        match self.step {
            Step::Running => !self.is_complete(),
            Step::Stopping => {
                self.wait.as_ref().is_some_and(|(phase, _)| self.alive.any(|alive| alive == *phase))
            }
            // Draining: the last work may just have ended. Cleanups are few.
            _ => false,
        }
    }

    /// Returns when [`advance`](Self::advance) is due next if nothing happens before.
    pub(crate) fn next_due(&self) -> Option<Tick> {
        let due = match self.step {
            Step::Running => self.start_deadline,
            // `Tick::MAX` while it is the outer group's: nothing is due before its stop.
            Step::Draining => self.plan.as_ref().map(|plan| plan.drain_end),
            Step::Stopping => self.wait.as_ref().and_then(|(_, wait)| wait.due()),
            Step::CleaningUp => self.cleanups.due(),
            // `Ended`: nothing is due any more.
            _ => None,
        };
        due.into_iter().chain(self.limits.due()).chain(self.remind_at).min()
    }

    /// Returns when what is being waited for is next aborted or abandoned.
    pub(crate) fn waits_until(&self) -> Option<Tick> {
        let phase = self.wait.as_ref().and_then(|(_, wait)| wait.due());
        let due = phase.into_iter().chain(self.limits.due()).chain(self.cleanups.due()).min();
        due.filter(|due| *due < Tick::MAX)
    }

    /// Returns when the tasks of a phase are aborted, once a shutdown has begun.
    pub(crate) fn deadline(&self, phase: Phase) -> Option<Tick> {
        self.plan.as_ref()?.deadline(phase)
    }

    /// Returns when the running cleanups are aborted.
    pub(crate) fn cleanup_deadline(&self) -> Option<Tick> {
        self.cleanups.deadline()
    }

    /// Returns how long the tasks of the phase that is being stopped get to end by themselves, and
    /// what limits them.
    pub(crate) fn limit(&self) -> Option<(Duration, Limit)> {
        let plan = self.plan.as_ref()?;
        let (at, limit) = plan.limit(plan.stopped()?);
        Some((at?.saturating_sub(plan.stopped_at()?), limit))
    }

    /// Returns whether no work is left: a group that never had any other than support is complete
    /// when that has ended, any other one when only support is left.
    fn is_complete(&self) -> bool {
        let counts = |phase: Phase| is_work(phase) || phase.is_support() && !self.had_work;
        self.waited && !self.alive.any(counts)
    }

    /// Returns whether the drain is over, or nothing is left to drain for.
    fn is_drained(&self, now: Tick) -> bool {
        let Some(plan) = &self.plan else { return true };
        // While the outer group drains, support tasks of this one may support that one.
        let has_work = self.alive.any(|phase| plan.drains_with_outer || is_work(phase));
        plan.drain_end <= now || !has_work
    }

    fn enter(&mut self, step: Step, now: Tick) {
        self.step = step;
        self.step_began = now;
    }
}

/// Returns whether a group with a task of this phase has something to do, and to drain for: support
/// and the setup are there for the others.
fn is_work(phase: Phase) -> bool {
    phase > Phase::SETUP && !phase.is_support()
}
