//! What a group remembers for its report, in bounded space (invariant 10).

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
    time::{Duration, SystemTime},
};

use task_core::{CleanupReport, Outcome, TaskId, TaskReport, Totals};

use crate::{
    group::entry::Entry,
    lifecycle::plan::Tick,
    report::cause::{Cause, CauseKind},
    report::end::End,
    report::error::ShutdownError,
    report::failure::{Failure, FailureKind, FailureOrigin},
    report::label::Repeated,
    report::{Contents, Report, StepTimes},
};

/// How many first failures of a task, and how many of the last ones, are kept whole.
const MOST_FAILURES: usize = 64;
/// How many triggers after the first are kept.
const MOST_TRIGGERS: usize = 16;
/// How many tasks and cleanups are listed one by one: of tasks those that ended last, of cleanups the first.
pub(crate) const MOST_ENTRIES: usize = 4_096;

/// A failure as it is kept.
#[derive(Debug)]
struct Kept {
    /// Which one of all it was.
    number: u64,
    failure: Failure,
    /// For one from inside a task that is a group: that task, and how much of the name is the task's.
    group: Option<(TaskId, usize)>,
}

#[derive(Debug, Default)]
pub(crate) struct Record {
    pub(crate) cause: Option<Cause>,
    /// The one look at the wall clock: what the shutdown's beginning is called outside. It decides nothing.
    pub(crate) began: Option<SystemTime>,
    later: Vec<Cause>,
    omitted_triggers: u64,
    /// The first failure of each task, up to the limit; the very first is the root.
    first: Vec<Kept>,
    known: HashSet<TaskId>,
    last: VecDeque<Kept>,
    /// How many failures there were.
    count: u64,
    pub(crate) omitted_failures: u64,
    /// The entries that are groups and were spoken for, with how many failures their groups had by then.
    pub(crate) inner_told: HashMap<TaskId, u64>,
    /// Failures to be dropped outside the lock (invariant 9): an error's drop is user code.
    pub(crate) evicted: Vec<Failure>,
    pub(crate) tasks: VecDeque<TaskReport>,
    pub(crate) omitted_tasks: u64,
    pub(crate) cleanups: Vec<CleanupReport>,
    omitted_cleanups: u64,
}

impl Record {
    pub(crate) fn trigger(&mut self, kind: CauseKind, at: Tick) {
        let cause = Cause { kind, at };
        if self.cause.is_none() {
            self.cause = Some(cause);
            self.began = Some(SystemTime::now());
        } else if self.later.len() < MOST_TRIGGERS {
            self.later.push(cause);
        } else {
            self.omitted_triggers += 1;
        }
    }

    /// Tells whether a trigger of this kind is known.
    #[cfg(feature = "token")]
    pub(crate) fn has(&self, kind: &CauseKind) -> bool {
        self.cause.iter().chain(&self.later).any(|cause| cause.kind == *kind)
    }

    /// Takes note of a failure of `id`, or of somebody who can fail but once.
    pub(crate) fn fail(&mut self, id: Option<TaskId>, failure: Failure) {
        self.keep(id, failure, None);
    }

    fn keep(&mut self, id: Option<TaskId>, failure: Failure, group: Option<(TaskId, usize)>) {
        self.count += 1;
        let failure = Kept { number: self.count, failure, group };
        let has_room = self.first.len() < MOST_FAILURES;
        if has_room && id.is_none_or(|id| self.known.insert(id)) {
            self.first.push(failure);
            return;
        }
        if self.last.len() == MOST_FAILURES {
            self.evicted.extend(self.last.pop_front().map(|kept| kept.failure));
            self.omitted_failures += 1;
        }
        self.last.push_back(failure);
    }

    /// Takes note of an unclean end of an entry. A nested manager's failures enter one by one, with their path.
    pub(crate) fn end(&mut self, entry: &Entry, end: End, now: Tick) {
        if end.outcome().is_clean() {
            return;
        }
        let origin = entry.role.origin();
        let name = entry.name.to_string();
        let kind = match end {
            End::Completed | End::Cancelled | End::Recorded(_) => return,
            End::Failed(error) => {
                match error.downcast_ref::<ShutdownError>().and_then(ShutdownError::report) {
                    Some(inner) => {
                        let inner = inner.clone();
                        self.inner_ended(entry, &inner, now);
                        let kind = FailureKind::Error(Arc::new(error));
                        self.evicted.push(Failure { origin, name, id: None, kind, at: now });
                        return;
                    }
                    None => FailureKind::Error(Arc::new(error)),
                }
            }
            End::Panicked(panic) => FailureKind::Panic(panic),
            End::Aborted if !entry.was_polled() && origin == FailureOrigin::Cleanup => {
                FailureKind::NotRun { reason: "its runtime is gone" }
            }
            End::Aborted if entry.is_abort_asked() => FailureKind::Aborted,
            End::Aborted => FailureKind::RuntimeGone,
        };
        self.fail(Some(entry.id), Failure { origin, name, id: Some(entry.id), kind, at: now });
    }

    /// Takes over the failures of a nested group that says so itself. If it was spoken for before, those of since then
    /// are left, without the ends of those who were named as alive.
    fn inner_ended(&mut self, entry: &Entry, inner: &Report, now: Tick) {
        let failures = inner.failures();
        let count = failures.len() as u64 + inner.omitted_failures();
        // From now on nobody need speak for it: its task may still be held, and be given up.
        let known = self.inner_told.insert(entry.id, count);
        let new = usize::try_from(count.saturating_sub(known.unwrap_or(0))).unwrap_or(usize::MAX);
        let is_new = |failure: &&Failure| {
            let is_end =
                matches!(failure.kind, FailureKind::Aborted | FailureKind::Abandoned { .. });
            known.is_none() || !is_end
        };
        let failures = failures[failures.len().saturating_sub(new)..].iter().filter(is_new);
        let failures = failures.map(|failure| {
            let name = format!("{}/{}", entry.name, inner.label(failure));
            Failure { name, id: None, at: now, ..failure.clone() }
        });
        let omitted = if known.is_none() { inner.omitted_failures() } else { 0 };
        self.fail_inner(entry, failures.collect(), omitted);
    }

    /// Takes note of failures of the group that an entry is, each of which has a name of its own, below the entry's.
    pub(crate) fn fail_inner(&mut self, entry: &Entry, failures: Vec<Failure>, omitted: u64) {
        self.omitted_failures += omitted;
        for failure in failures {
            let id = TaskId::new(u64::MAX - self.known.len() as u64);
            self.keep(Some(id), failure, Some((entry.id, entry.name.len())));
        }
    }

    /// Lists a task that ended at the trigger or after it.
    pub(crate) fn task(&mut self, entry: &Entry, outcome: Outcome, now: Tick) {
        if self.tasks.len() == MOST_ENTRIES {
            self.tasks.pop_front();
            self.omitted_tasks += 1;
        }
        let mut task = TaskReport::new(entry.id, entry.name.clone(), outcome);
        task.phase = entry.phase;
        task.ended_at = now;
        task.ran = now.saturating_sub(entry.began);
        task.stop_took = entry.stop_asked().map(|asked| now.saturating_sub(asked));
        task.status = entry.status();
        self.tasks.push_back(task);
    }

    pub(crate) fn cleanup(
        &mut self,
        name: &str,
        outcome: Option<Outcome>,
        began: Tick,
        took: Duration,
    ) {
        if self.cleanups.len() == MOST_ENTRIES {
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
        Some(Report::new(Contents {
            name: String::from(name),
            is_setup_failed: cause.kind == CauseKind::SetupFailed,
            cause,
            began,
            later_triggers: self.later,
            omitted_triggers: self.omitted_triggers,
            failures,
            omitted_failures: self.omitted_failures,
            tasks: self.tasks.into(),
            omitted_tasks: self.omitted_tasks,
            cleanups: self.cleanups,
            omitted_cleanups: self.omitted_cleanups,
            totals,
            steps,
            repeated,
        }))
    }

    /// Returns all kept failures in the order in which they happened, with the groups in their paths told apart.
    pub(crate) fn failures(&self, repeated: &Repeated) -> Vec<Failure> {
        let mut failures: Vec<&Kept> = self.first.iter().chain(&self.last).collect();
        failures.sort_by_key(|kept| kept.number);
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
