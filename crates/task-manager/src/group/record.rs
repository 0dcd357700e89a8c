//! What a group remembers for its report, in bounded space (invariant 10).

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use task_core::{CleanupReport, Outcome, Phase, TaskId, TaskReport, Totals};

use super::Member;
use crate::lifecycle::Tick;
use crate::report::{
    Cause, CauseKind, Contents, Failure, PhaseReport, Repeated, Report, StepTimes, sort_by_key,
};

/// How many first failures of a task, and how many of the last ones, are kept whole.
const MAX_FAILURES: usize = 64;
/// How many triggers after the first are kept.
const MAX_TRIGGERS: usize = 16;
/// How many tasks and cleanups are listed one by one: of tasks those that ended last, of cleanups
/// the first.
pub(crate) const MAX_ENTRIES: usize = 4_096;

/// A failure as it is kept.
#[derive(Debug)]
struct Kept {
    /// Which one of all it was.
    number: u64,
    failure: Failure,
    /// For one from inside a task that is a group: that task, and how much of the name is the
    /// task's.
    group: Option<(TaskId, usize)>,
}

#[derive(Debug, Default)]
pub(crate) struct Record {
    pub(crate) cause: Option<Cause>,
    /// The one look at the wall clock: what the shutdown's beginning is called outside. It decides
    /// nothing.
    pub(crate) began: Option<SystemTime>,
    later: Vec<Cause>,
    omitted_triggers: u64,
    /// Those of them that are no failures.
    omitted_requests: u64,
    /// The first failure of each task, up to the limit; the very first is the root.
    first: Vec<Kept>,
    known: HashSet<TaskId>,
    last: VecDeque<Kept>,
    /// How many failures there were.
    count: u64,
    pub(crate) omitted_failures: u64,
    pub(crate) tasks: VecDeque<TaskReport>,
    pub(crate) omitted_tasks: u64,
    pub(crate) cleanups: Vec<CleanupReport>,
    omitted_cleanups: u64,
    /// The phases in the order of their stop; the last one may not be over.
    phases: Vec<PhaseReport>,
    /// How long the drain was to take, and the cleanups all together might.
    pub(crate) drain_budget: Option<Duration>,
    pub(crate) cleanup_budget: Option<Duration>,
}

impl Record {
    pub(crate) fn trigger(&mut self, kind: CauseKind, at: Tick) {
        let cause = Cause { kind, at };
        if self.cause.is_none() {
            self.cause = Some(cause);
            self.began = Some(SystemTime::now());
        } else if self.later.len() < MAX_TRIGGERS {
            self.later.push(cause);
        } else {
            self.omitted_triggers += 1;
            self.omitted_requests += u64::from(!cause.kind.is_failure());
        }
    }

    /// Returns how many failures there were.
    pub(crate) fn failure_count(&self) -> u64 {
        (self.first.len() + self.last.len()) as u64 + self.omitted_failures
    }

    /// Returns whether any failure that is kept fits.
    pub(crate) fn has(&self, fits: impl Fn(&Failure) -> bool) -> bool {
        self.first.iter().chain(&self.last).any(|kept| fits(&kept.failure))
    }

    /// Returns the failures inside a group that is a task which were recorded at the end of that
    /// task, or, of one that is not listed, at any time.
    pub(crate) fn inside_at_end(&self, id: TaskId) -> Vec<&Failure> {
        let ended_at = self.tasks.iter().rev().find(|task| task.id == id).map(|task| task.ended_at);
        let is_inside = |kept: &&Kept| {
            kept.group.is_some_and(|(group, _)| group == id)
                && ended_at.is_none_or(|ended_at| kept.failure.at == ended_at)
        };
        let kept = self.first.iter().chain(&self.last).filter(is_inside);
        kept.map(|kept| &kept.failure).collect()
    }

    /// Records a failure of `id`, or of something that can fail but once. `group` is for one from
    /// inside a nested group. Returns one that had to go for it, to be dropped without the lock.
    pub(crate) fn keep(
        &mut self,
        id: Option<TaskId>,
        failure: Failure,
        group: Option<(TaskId, usize)>,
    ) -> Option<Failure> {
        self.count += 1;
        let failure = Kept { number: self.count, failure, group };
        let has_room = self.first.len() < MAX_FAILURES;
        if has_room && id.is_none_or(|id| self.known.insert(id)) {
            self.first.push(failure);
            return None;
        }
        let is_full = self.last.len() == MAX_FAILURES;
        let evicted = if is_full { self.last.pop_front() } else { None };
        self.omitted_failures += u64::from(is_full);
        self.last.push_back(failure);
        evicted.map(|kept| kept.failure)
    }

    /// Records failures inside a group that is a task. Each has a name of its own, below the
    /// task's. Returns what had to go for them.
    pub(crate) fn fail_nested(
        &mut self,
        member: &Member,
        failures: Vec<Failure>,
        omitted: u64,
    ) -> Vec<Failure> {
        self.omitted_failures += omitted;
        let keep = |failure| {
            let id = TaskId::new(u64::MAX - self.known.len() as u64);
            self.keep(Some(id), failure, Some((member.id, member.name.len())))
        };
        failures.into_iter().filter_map(keep).collect()
    }

    /// Returns the name of the listed task that took longest to stop, of phases below this one, and
    /// how long.
    pub(crate) fn slowest_before(&self, phase: Phase) -> Option<(String, Duration)> {
        let before = self.tasks.iter().filter(|task| task.phase < phase);
        let took = before.filter_map(|task| Some((task, task.stop_took?)));
        let (task, took) = took.max_by_key(|(_, took)| *took)?;
        Some((task.name.to_string(), took))
    }

    /// Lists a task that ended at the trigger or after it.
    pub(crate) fn task(&mut self, member: &Member, outcome: Outcome, now: Tick) {
        if self.tasks.len() == MAX_ENTRIES {
            self.tasks.pop_front();
            self.omitted_tasks += 1;
        }
        let mut task = TaskReport::new(member.id, member.name.clone(), outcome);
        task.phase = member.phase;
        task.ended_at = now;
        task.ran = now.saturating_sub(member.began);
        task.stop_took = member.stop_asked().map(|asked| now.saturating_sub(asked));
        task.status = member.status();
        (task.restarts, task.failures) = member.survived();
        self.tasks.push_back(task);
    }

    /// Begins a phase, which ends the one before.
    pub(crate) fn phase(
        &mut self,
        phase: Phase,
        now: Tick,
        budget: Option<Duration>,
        tasks: usize,
    ) {
        self.end_phase(now);
        self.phases.push(PhaseReport {
            phase,
            stopped_at: now,
            ended_at: now,
            budget,
            tasks: tasks as u64,
            last: None,
        });
    }

    /// Moves the deadline of the phase that is being stopped.
    pub(crate) fn limit_phase(&mut self, budget: Duration) {
        if let Some(phase) = self.phases.last_mut() {
            phase.budget = Some(budget);
        }
    }

    /// Ends the phase that is being stopped, if there is one. The task that was listed last of it
    /// is among the last of all, so a search from there costs the tasks nothing.
    pub(crate) fn end_phase(&mut self, now: Tick) {
        let Some(phase) = self.phases.last_mut().filter(|phase| phase.last.is_none()) else {
            return;
        };
        phase.ended_at = now;
        let is_of_it = |task: &&TaskReport| task.phase == phase.phase;
        phase.last = self.tasks.iter().rev().find(is_of_it).cloned();
    }

    pub(crate) fn cleanup(
        &mut self,
        name: &str,
        outcome: Option<Outcome>,
        began: Tick,
        took: Duration,
    ) {
        if self.cleanups.len() == MAX_ENTRIES {
            self.omitted_cleanups += 1;
            return;
        }
        let mut cleanup = CleanupReport::new(name.to_owned(), outcome);
        cleanup.began_at = began;
        cleanup.took = took;
        self.cleanups.push(cleanup);
    }

    /// Makes the report of it; `None` if nothing was triggered.
    pub(crate) fn into_report(
        self,
        name: &str,
        totals: Totals,
        steps: StepTimes,
        mut repeated: Repeated,
    ) -> Option<Report> {
        repeated.add(self.tasks.iter().map(|task| &*task.name));
        let failures = self.failures(&repeated);
        let (cause, began) = (self.cause?, self.began?);
        Some(Report(Arc::new(Contents {
            name: String::from(name),
            is_setup_failed: cause.kind == CauseKind::SetupFailed,
            cause,
            began,
            later_triggers: self.later,
            omitted_triggers: self.omitted_triggers,
            omitted_requests: self.omitted_requests,
            failures,
            omitted_failures: self.omitted_failures,
            tasks: self.tasks.into(),
            omitted_tasks: self.omitted_tasks,
            cleanups: self.cleanups,
            phases: self.phases,
            omitted_cleanups: self.omitted_cleanups,
            totals,
            steps,
            repeated,
        })))
    }

    /// Returns all kept failures in the order in which they happened, with the groups in their
    /// paths told apart.
    pub(crate) fn failures(&self, repeated: &Repeated) -> Vec<Failure> {
        let mut failures: Vec<&Kept> = self.first.iter().chain(&self.last).collect();
        sort_by_key(&mut failures, |kept| kept.number.into());
        let failures = failures.into_iter().map(|kept| {
            let mut failure = kept.failure.clone();
            if let Some((id, length)) = kept.group
                && let Some((group, rest)) = failure.name.split_at_checked(length)
            {
                failure.name = repeated.label(group, Some(id)) + rest;
            }
            failure
        });
        failures.collect()
    }
}
