//! The deadlines of one shutdown: arithmetic on the time since the manager was made.
//!
//! ```text
//! triggered  drain_end                                               stop_end          end
//!     |- drain -|- SETUP -|---- others ----|------ WORK ------|- SUPPORT -|-- cleanup --|
//!               |<------------------------ stop ------------------------->|
//! ```
//!
//! The whole is laid out at the trigger, of what is there then: `cleanup` is kept if a cleanup is
//! registered, and a phase gets a part of `stop` if it has tasks.
//!
//! The parts are in [`layout`]. What a phase leaves over goes to the next.
//!
//! Of each part, up to a half and at most [`Plan::join`] is the time for aborted tasks to be
//! dropped. A phase whose turn comes so late that less than that is left to end in, since those
//! before it overran, gets as much all the same, if need be from the first half of what is kept for
//! cleanups; or half of what is left until then, if that is less.
//!
//! Invariant 3: deadlines are fixed at the trigger and then only move earlier, but for that least
//! time. Four things move them: [`Plan::tighten`], [`Plan::end_drain`], and at the stop of a phase
//! its own limit and [`Plan::escalate`]. A new layout takes the minimum of the old deadlines and
//! the new ones. The admission of a task moves none: a phase that is not planned has no time of its
//! own (see [`Plan::deadline`]). A shutdown that has no end at its trigger gets its deadlines when
//! it first has a limit: the outer group's, or its own total at the outer stop.

use std::time::Duration;

use task_core::{Phase, Timeout};

use self::layout::Layout;

mod layout;
#[cfg(test)]
mod tests;

/// An instant, as time since the manager was made.
pub(crate) type Tick = Duration;

/// The longest time to wait for aborted tasks before they are abandoned.
pub(crate) const LONGEST_JOIN: Duration = Duration::from_millis(250);
/// The longest time that is reserved for a support phase, and for each later set of cleanups.
pub(crate) const LONGEST_RESERVE: Duration = Duration::from_secs(1);

/// The time allotted to the parts of a shutdown. The builder checks that drain and cleanup leave
/// some of the total.
#[derive(Clone, Debug)]
pub(crate) struct Budgets {
    pub(crate) total: Timeout,
    pub(crate) drain: Duration,
    /// What is kept for the cleanups.
    pub(crate) cleanup: Duration,
    /// Whether all of them together may take no longer than that.
    pub(crate) limits_cleanups: bool,
    /// What all cleanups together get once the shutdown is escalated to an abort.
    pub(crate) escalated_cleanup: Duration,
    /// The limits of phases, in no order; each phase once.
    pub(crate) phases: Vec<(Phase, Duration)>,
}

impl Budgets {
    /// Returns the longest time that the tasks of a phase get to end by themselves, if it is
    /// limited.
    pub(crate) fn of_phase(&self, phase: Phase) -> Option<Duration> {
        self.phases.iter().find(|(own, _)| *own == phase).map(|(_, limit)| *limit)
    }
}

/// What has a part in a layout.
#[derive(Clone, Debug, Default)]
pub(crate) struct Present {
    /// The phases that have tasks, in ascending order, each with the longest time that any of them
    /// may take to end; `None` if that is not limited.
    pub(crate) phases: Vec<(Phase, Option<Duration>)>,
    /// Whether a cleanup is registered.
    pub(crate) has_cleanups: bool,
}

/// Which limit the deadline of a stopped phase follows from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    /// Its part of the shutdown.
    Part,
    /// The limit that is set for the phase.
    PhaseTimeout,
    /// The least time, since those before it left less.
    Least,
    /// The escalation of the shutdown.
    Escalation,
}

/// When each part of a shutdown ends; `None` is "never", and so is a `drain_end` of `Tick::MAX`.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) triggered: Tick,
    pub(crate) drain_end: Tick,
    /// When the report is due.
    pub(crate) end: Option<Tick>,
    /// The time for all cleanups together.
    cleanup: Duration,
    /// Whether they have no more, though the tasks may leave some of theirs.
    limits_cleanups: bool,
    /// Whether that time is kept for them: one was registered at the layout.
    keeps_cleanup: bool,
    /// The longest time for aborted tasks to be dropped.
    pub(crate) join: Duration,
    layout: Layout,
    /// The phase that was stopped last.
    stopped: Option<Stopped>,
    /// Whether the group drains until the outer group stops it, and has no deadlines before.
    pub(crate) drains_with_outer: bool,
    pub(crate) is_escalated: bool,
}

#[derive(Clone, Copy, Debug)]
struct Stopped {
    phase: Phase,
    since: Tick,
    timeout: Option<Duration>,
}

impl Plan {
    /// Lays out a shutdown that begins `now`, within the budgets and, for a nested group, within
    /// the `limit` of the outer one.
    pub(crate) fn new(
        now: Tick,
        budgets: &Budgets,
        limit: Option<Duration>,
        drains: bool,
        present: &Present,
    ) -> Self {
        // A drain that is skipped leaves its time to the tasks.
        let drain = if drains { budgets.drain } else { Duration::ZERO };
        let mut plan = Self::unlimited(now, now.saturating_add(drain), budgets);
        let total = budgets.total.limit();
        match limit.filter(|limit| total.is_none_or(|total| *limit < total)) {
            Some(limit) => plan.tighten(now, limit, present),
            None => plan.lay_out(now, total, present),
        }
        plan
    }

    /// Plans to drain until the outer group stops this one. That group may stop many others first,
    /// so the total of this one is counted from that stop on, and nothing is due before.
    pub(crate) fn with_outer(now: Tick, budgets: &Budgets) -> Self {
        Self { drains_with_outer: true, ..Self::unlimited(now, Tick::MAX, budgets) }
    }

    fn unlimited(now: Tick, drain_end: Tick, budgets: &Budgets) -> Self {
        Self {
            triggered: now,
            drain_end,
            end: None,
            cleanup: budgets.cleanup,
            limits_cleanups: budgets.limits_cleanups,
            keeps_cleanup: false,
            join: LONGEST_JOIN,
            layout: Layout::default(),
            stopped: None,
            drains_with_outer: false,
            is_escalated: false,
        }
    }

    /// Returns when the tasks of a phase are aborted.
    ///
    /// A phase that is not planned, since it first appeared during the shutdown, has no time
    /// reserved for it: it may take what the phases before it leave over, until the time begins
    /// that is reserved for the next planned one. So a task that is admitted late and does not end
    /// by itself takes no time from those that had their deadlines before. Before the first one,
    /// that is a third of what that one has.
    pub(crate) fn deadline(&self, phase: Phase) -> Option<Tick> {
        self.limit(phase).0
    }

    /// Returns when the tasks of a phase are aborted, and why then. Only the stop of a phase
    /// decides which limit that is.
    pub(crate) fn limit(&self, phase: Phase) -> (Option<Tick>, Limit) {
        let part = self.layout.deadline(phase);
        let Some(stopped) = self.stopped.filter(|stopped| phase <= stopped.phase) else {
            return (part, Limit::Part);
        };
        let since = stopped.since;
        if phase < stopped.phase {
            // Its tasks are gone, or abandoned.
            return (Some(part.map_or(since, |part| part.min(since))), Limit::Part);
        }
        let least = since.saturating_add(self.join(phase));
        let (mut at, mut limit) = match part {
            Some(part) if part < least => {
                let until = self.end.map_or(Tick::MAX, |end| end.saturating_sub(self.kept() / 2));
                // The other half is the time to be dropped.
                let latest = since.saturating_add(until.saturating_sub(since) / 2);
                (Some(part.max(least.min(latest))), Limit::Least)
            }
            part => (part, Limit::Part),
        };
        for (own, kind) in [
            (stopped.timeout, Limit::PhaseTimeout),
            // Tasks then get as long to end by themselves as to be dropped. Those that were stopped
            // just before the escalation get the same.
            (Some(self.join).filter(|_| self.is_escalated), Limit::Escalation),
        ] {
            let own = own.map(|own| since.saturating_add(own));
            if let Some(own) = own.filter(|own| at.is_none_or(|at| *own < at)) {
                (at, limit) = (Some(own), kind);
            }
        }
        (at, limit)
    }

    /// Returns how long aborted tasks of a phase get to be dropped.
    pub(crate) fn join(&self, phase: Phase) -> Duration {
        self.layout.join(phase).unwrap_or(self.join)
    }

    /// Returns when cleanups that begin `now` must be over. What the tasks leave of their time is
    /// theirs as well, unless that is limited.
    pub(crate) fn cleanup_end(&self, now: Tick) -> Tick {
        let latest = now.saturating_add(self.cleanup);
        match self.end {
            Some(end) if !self.limits_cleanups && !self.is_escalated => end,
            Some(end) => end.min(latest),
            None => latest,
        }
    }

    /// Returns when the tasks must be over, so that the cleanups have what is kept for them.
    pub(crate) fn stop_end(&self) -> Option<Tick> {
        self.end.map(|end| end.saturating_sub(self.kept()))
    }

    fn kept(&self) -> Duration {
        if self.keeps_cleanup { self.cleanup } else { Duration::ZERO }
    }

    /// Returns the phase that was stopped last.
    pub(crate) fn stopped(&self) -> Option<Phase> {
        self.stopped.map(|stopped| stopped.phase)
    }

    /// Returns when the phase that was stopped last was stopped.
    pub(crate) fn stopped_at(&self) -> Option<Tick> {
        self.stopped.map(|stopped| stopped.since)
    }

    /// Ends the drain. If it was the outer group's, this group's own `total` begins now.
    pub(crate) fn end_drain(&mut self, now: Tick, total: Option<Duration>, present: &Present) {
        self.drain_end = self.drain_end.min(now);
        if std::mem::take(&mut self.drains_with_outer) {
            self.lay_out(now, total, present);
        }
    }

    /// Moves everything within the outer group's `limit` from `now` on.
    pub(crate) fn tighten(&mut self, now: Tick, limit: Duration, present: &Present) {
        if self.end.is_some_and(|end| end <= now.saturating_add(limit)) {
            return;
        }
        // The builder could not check this limit against the budgets: without these bounds, drain
        // and cleanup could leave the tasks no time at all. Once escalated, they need little.
        self.drain_end = self.drain_end.min(now.saturating_add(limit / 4));
        let most = if self.is_escalated { limit / 4 * 3 } else { limit / 4 };
        self.cleanup = self.cleanup.min(most);
        self.lay_out(now, Some(limit), present);
    }

    /// Records that the tasks of a phase are stopped `now`, which has this limit of its own.
    pub(crate) fn stop(&mut self, phase: Phase, now: Tick, timeout: Option<Duration>) {
        self.stopped = Some(Stopped { phase, since: now, timeout });
    }

    /// Shortens the grace of the phase being stopped and of those to come, and the cleanups.
    pub(crate) fn escalate(&mut self, escalated_cleanup: Duration) {
        self.is_escalated = true;
        self.cleanup = self.cleanup.min(escalated_cleanup);
    }

    /// Sets the end to `total` from `now` on, and gives each phase its part.
    fn lay_out(&mut self, now: Tick, total: Option<Duration>, present: &Present) {
        let Some(total) = total else { return };
        // Saturating, as everywhere here: a hundred years are a valid total (FAILURES 42).
        let end = now.saturating_add(total);
        self.end = Some(end);
        self.keeps_cleanup |= present.has_cleanups;
        let begin = now.max(self.drain_end);
        let stop_end = end.saturating_sub(self.kept());
        let stop = stop_end.saturating_sub(begin);
        self.join = self.join.min(stop / 20);
        let new = Layout::new(begin, stop_end, self.join, &present.phases);
        self.layout = std::mem::take(&mut self.layout).earlier_of(&new);
    }
}
