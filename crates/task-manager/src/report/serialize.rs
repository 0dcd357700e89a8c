//! The report as data: stable field names, times in seconds, errors as text with their causes.

use std::time::UNIX_EPOCH;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};
use task_core::scope::{catch, guarded_name, guarded_text, seconds};
use task_core::{CleanupReport, Outcome, Phase, TaskId, TaskReport, Totals};

use super::{
    Activity, Cause, CauseKind, Deadline, DeadlineKind, Failure, FailureKind, FailureOrigin,
    PhaseReport, Repeated, Report, StepTimes, blocked,
};

/// How many causes of an error are written: a chain may be endless.
const MOST_CAUSES: usize = 32;

/// Writes a struct with these fields, in this order.
macro_rules! write_struct {
    ($serializer:ident, $name:literal, { $($field:literal: $value:expr,)* }) => {{
        let mut fields = $serializer.serialize_struct($name, [$($field),*].len())?;
        $(fields.serialize_field($field, &$value)?;)*
        fields.end()
    }};
}

/// A part of the report, as it is written. The parts themselves implement no `Serialize`, so that
/// their fields can change without changing the data.
struct Written<'a, T>(&'a T);

/// A list of such parts.
struct List<'a, T>(&'a [T]);

impl<'a, T> Serialize for List<'a, T>
where
    Written<'a, T>: Serialize,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(Written))
    }
}

/// Available with the feature `serde`.
///
/// The field names are stable, and later versions may add fields. Instants and lengths of time are
/// numbers, in seconds, rounded to a millisecond or, below 10 ms, to a microsecond; `began` is the
/// wall clock's time, in seconds since 1970. An error is a list of at most 32 texts: its own, and
/// those of its causes. Names, statuses and texts are escaped and bounded as in the `Display` of a
/// [`Failure`](crate::Failure). All that the report holds is written: of what its text folds or
/// leaves out, nothing is missing here.
///
/// | part | fields |
/// |---|---|
/// | the report | `name`, `summary` (the [first line](Report::summary) of the text), `clean`, `exit_code`, `blocked` (what blocked the runtime, as text, or null), `cause`, `began`, `later_triggers`, `omitted_triggers`, `failures`, `omitted_failures`, `tasks`, `omitted_tasks`, `cleanups`, `omitted_cleanups`, `totals`, `steps`, `phases` |
/// | a cause | `kind`, `text`, `task` (or null), `at` |
/// | a failure | `origin`, `name`, `id` (or null), `kind`, `text` (without the error), `deadline` (null unless it was aborted or abandoned), `after_abort` and `activity` (null unless it was abandoned), `error`, `location` (or null), `backtrace` (or null), `at` |
/// | a deadline | `kind`, `phase` (or null), `had`, `text` |
/// | a task | `id`, `name`, `phase`, `outcome`, `ended_at`, `ran`, `stop_took` (or null), `status` (or null), `restarts`, `failures` (those that it survived) |
/// | a cleanup | `name`, `outcome` (null if it was not run), `began_at`, `took` |
/// | the totals | `started`, `completed`, `cancelled`, `failed`, `panicked`, `aborted`, `abandoned` |
/// | the steps | `triggered`, `stopping`, `cleaning_up`, `ended`, `budget` (null if unlimited), `drain_budget` and `cleanup_budget` (or null) |
/// | a phase | `phase`, `stopped_at`, `ended_at`, `budget` (null if unlimited), `tasks`, `last` (a task, or null) |
///
/// # Examples
///
/// ```
/// # use task_manager::Manager;
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> anyhow::Result<()> {
/// let report = Manager::new().shutdown().await?;
/// let data = serde_json::to_value(&report)?;
/// assert_eq!(data["cause"]["text"], "stop was called");
/// assert_eq!(data["steps"]["budget"], 25.0);
/// # Ok(()) }
/// ```
impl Serialize for Report {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        write_struct!(serializer, "Report", {
            "name": guarded_name(self.name()),
            "summary": self.summary(),
            "clean": self.is_clean(),
            "exit_code": self.exit_code(),
            "blocked": blocked(self.failures(), &self.0.repeated),
            "cause": Written(self.cause()),
            "began": self.began().duration_since(UNIX_EPOCH).map_or(0.0, seconds),
            "later_triggers": List(self.later_triggers()),
            "omitted_triggers": self.omitted_triggers(),
            "failures": List(self.failures()),
            "omitted_failures": self.omitted_failures(),
            "tasks": List(self.tasks()),
            "omitted_tasks": self.omitted_tasks(),
            "cleanups": List(self.cleanups()),
            "omitted_cleanups": self.omitted_cleanups(),
            "totals": Written(&self.totals()),
            "steps": Written(&self.steps()),
            "phases": List(self.phases()),
        })
    }
}

impl Serialize for Written<'_, Cause> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(cause) = self;
        let (kind, task) = match &cause.kind {
            CauseKind::TaskEnded { task, .. } => ("task_ended", Some(task)),
            CauseKind::RequestedBy { task, .. } => ("requested", Some(task)),
            CauseKind::Stopped => ("stopped", None),
            CauseKind::Parent => ("parent", None),
            CauseKind::Dropped => ("dropped", None),
            CauseKind::SetupFailed => ("setup_failed", None),
            CauseKind::StartTimeout => ("start_timeout", None),
            CauseKind::Completed => ("completed", None),
        };
        write_struct!(serializer, "Cause", {
            "kind": kind,
            "text": cause.to_string(),
            "task": task.map(|task| guarded_name(task)),
            "at": seconds(cause.at),
        })
    }
}

impl Serialize for Written<'_, Failure> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(failure) = self;
        let (kind, location) = match &failure.kind {
            FailureKind::Error(_) => ("error", None),
            FailureKind::Survived(_) => ("survived", None),
            FailureKind::Panic(panic) => ("panic", panic.location.as_ref()),
            FailureKind::SurvivedPanic(panic) => ("survived_panic", panic.location.as_ref()),
            FailureKind::Aborted { .. } => ("aborted", None),
            FailureKind::Abandoned { .. } => ("abandoned", None),
            FailureKind::EndedUnasked => ("ended_unasked", None),
            FailureKind::RuntimeGone => ("runtime_gone", None),
            FailureKind::NotRun { .. } => ("not_run", None),
            FailureKind::NotReady { .. } => ("not_ready", None),
        };
        let (deadline, after_abort, activity) = match &failure.kind {
            FailureKind::Aborted { deadline } => (Some(deadline), None, None),
            FailureKind::Abandoned { deadline, after_abort, activity, .. } => {
                let after_abort = deadline.as_ref().map(|_| *after_abort);
                (deadline.as_ref(), after_abort, Some(*activity))
            }
            FailureKind::Error(_)
            | FailureKind::Survived(_)
            | FailureKind::Panic(_)
            | FailureKind::SurvivedPanic(_)
            | FailureKind::EndedUnasked
            | FailureKind::RuntimeGone
            | FailureKind::NotRun { .. }
            | FailureKind::NotReady { .. } => (None, None, None),
        };
        let origin = match failure.origin {
            FailureOrigin::Task => "task",
            FailureOrigin::Cleanup => "cleanup",
            FailureOrigin::Setup => "setup",
            FailureOrigin::Start => "start",
        };
        write_struct!(serializer, "Failure", {
            "origin": origin,
            "name": guarded_name(&failure.name),
            "id": failure.id.map(TaskId::number),
            "kind": kind,
            "deadline": deadline.map(Written),
            "after_abort": after_abort.map(seconds),
            "activity": activity.map(Activity::as_str),
            "text": failure.headline(&Repeated::default()),
            "error": causes(failure),
            "location": location,
            "backtrace": failure.backtrace().map(ToString::to_string),
            "at": seconds(failure.at),
        })
    }
}

impl Serialize for Written<'_, Deadline> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(deadline) = self;
        let kind = match &deadline.kind {
            DeadlineKind::Phase(_) => "phase",
            DeadlineKind::PhaseTimeout(_) => "phase_timeout",
            DeadlineKind::StopTimeout => "stop_timeout",
            DeadlineKind::Requested => "requested",
            DeadlineKind::Escalation => "escalation",
            DeadlineKind::Cleanup => "cleanup",
            DeadlineKind::NoTimeLeft { .. } => "no_time_left",
        };
        write_struct!(serializer, "Deadline", {
            "kind": kind,
            "phase": deadline.phase().map(Phase::number),
            "had": seconds(deadline.had),
            "text": deadline.to_string(),
        })
    }
}

/// Returns the texts of an error and of its causes, each of which may panic.
fn causes(failure: &Failure) -> Vec<String> {
    let mut causes = Vec::new();
    let mut next = failure.error();
    while let Some(error) = next.filter(|_| causes.len() < MOST_CAUSES) {
        causes.push(guarded_text(error));
        next = catch(|| error.source()).unwrap_or(None);
    }
    causes
}

impl Serialize for Written<'_, TaskReport> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(task) = self;
        write_struct!(serializer, "Task", {
            "id": task.id.number(),
            "name": guarded_name(&task.name),
            "phase": task.phase.number(),
            "outcome": task.outcome.as_str(),
            "ended_at": seconds(task.ended_at),
            "ran": seconds(task.ran),
            "stop_took": task.stop_took.map(seconds),
            "status": task.status.as_deref().map(guarded_name),
            "restarts": task.restarts,
            "failures": task.failures,
        })
    }
}

impl Serialize for Written<'_, CleanupReport> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(cleanup) = self;
        write_struct!(serializer, "Cleanup", {
            "name": guarded_name(&cleanup.name),
            "outcome": cleanup.outcome.map(Outcome::as_str),
            "began_at": seconds(cleanup.began_at),
            "took": seconds(cleanup.took),
        })
    }
}

impl Serialize for Written<'_, Totals> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(totals) = self;
        write_struct!(serializer, "Totals", {
            "started": totals.started,
            "completed": totals.completed,
            "cancelled": totals.cancelled,
            "failed": totals.failed,
            "panicked": totals.panicked,
            "aborted": totals.aborted,
            "abandoned": totals.abandoned,
        })
    }
}

impl Serialize for Written<'_, StepTimes> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(steps) = self;
        write_struct!(serializer, "Steps", {
            "triggered": seconds(steps.triggered),
            "stopping": seconds(steps.stopping),
            "cleaning_up": seconds(steps.cleaning_up),
            "ended": seconds(steps.ended),
            "budget": steps.budget.map(seconds),
            "drain_budget": steps.drain_budget.map(seconds),
            "cleanup_budget": steps.cleanup_budget.map(seconds),
        })
    }
}

impl Serialize for Written<'_, PhaseReport> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(phase) = self;
        write_struct!(serializer, "Phase", {
            "phase": phase.phase.number(),
            "stopped_at": seconds(phase.stopped_at),
            "ended_at": seconds(phase.ended_at),
            "budget": phase.budget.map(seconds),
            "tasks": phase.tasks,
            "last": phase.last.as_ref().map(Written),
        })
    }
}
