//! The report as data: the field names are stable, times are seconds, errors are text with their causes.

use std::time::{Duration, UNIX_EPOCH};

use serde::{Serialize, Serializer};
use task_core::{CleanupReport, Outcome, TaskId, TaskReport};

use super::Report;
use crate::{
    report::cause::{Cause, CauseKind},
    report::failure::{Failure, FailureKind, FailureOrigin},
    report::label::Repeated,
    threads::panics::{catch, display_alone},
};

/// How many causes of an error are written: a chain may be endless.
const MOST_CAUSES: usize = 32;

/// With the feature `serde`. Field names are stable and new ones may come; times and lengths of time are seconds as
/// numbers; an error is the list of its own words and those of its causes, outermost first.
impl Serialize for Report {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (steps, totals) = (self.steps(), self.totals());
        let view = ReportView {
            name: self.name(),
            clean: self.is_clean(),
            exit_code: self.exit_code(),
            cause: CauseView::of(self.cause()),
            began: self.began().duration_since(UNIX_EPOCH).map_or(0.0, seconds),
            later_triggers: self.later_triggers().iter().map(CauseView::of).collect(),
            omitted_triggers: self.omitted_triggers(),
            failures: self.failures().iter().map(FailureView::of).collect(),
            omitted_failures: self.omitted_failures(),
            tasks: self.tasks().iter().map(TaskView::of).collect(),
            omitted_tasks: self.omitted_tasks(),
            cleanups: self.cleanups().iter().map(CleanupView::of).collect(),
            omitted_cleanups: self.omitted_cleanups(),
            totals: TotalsView {
                started: totals.started,
                completed: totals.completed,
                cancelled: totals.cancelled,
                failed: totals.failed,
                panicked: totals.panicked,
                aborted: totals.aborted,
                abandoned: totals.abandoned,
            },
            steps: StepsView {
                triggered: seconds(steps.triggered),
                stopping: seconds(steps.stopping),
                cleaning_up: seconds(steps.cleaning_up),
                ended: seconds(steps.ended),
                budget: steps.budget.map(seconds),
            },
        };
        view.serialize(serializer)
    }
}

#[derive(Serialize)]
struct ReportView<'a> {
    name: &'a str,
    clean: bool,
    exit_code: u8,
    cause: CauseView<'a>,
    /// The wall clock's, since 1970.
    began: f64,
    later_triggers: Vec<CauseView<'a>>,
    omitted_triggers: u64,
    failures: Vec<FailureView<'a>>,
    omitted_failures: u64,
    tasks: Vec<TaskView<'a>>,
    omitted_tasks: u64,
    cleanups: Vec<CleanupView<'a>>,
    omitted_cleanups: u64,
    totals: TotalsView,
    steps: StepsView,
}

#[derive(Serialize)]
struct CauseView<'a> {
    kind: &'static str,
    text: String,
    task: Option<&'a str>,
    at: f64,
}

impl<'a> CauseView<'a> {
    fn of(cause: &'a Cause) -> Self {
        let (kind, task) = match &cause.kind {
            CauseKind::TaskEnded { task, .. } => ("task_ended", Some(&**task)),
            CauseKind::RequestedBy { task, .. } => ("requested", Some(&**task)),
            CauseKind::Stopped => ("stopped", None),
            CauseKind::Parent => ("parent", None),
            CauseKind::Dropped => ("dropped", None),
            CauseKind::SetupFailed => ("setup_failed", None),
            CauseKind::StartTimeout => ("start_timeout", None),
            CauseKind::Completed => ("completed", None),
        };
        Self { kind, text: cause.to_string(), task, at: seconds(cause.at) }
    }
}

#[derive(Serialize)]
struct FailureView<'a> {
    origin: &'static str,
    name: &'a str,
    /// Tells those of one name apart.
    id: Option<u64>,
    kind: &'static str,
    text: String,
    error: Vec<String>,
    location: Option<&'a str>,
    backtrace: Option<String>,
    at: f64,
}

impl<'a> FailureView<'a> {
    fn of(failure: &'a Failure) -> Self {
        let kind = match &failure.kind {
            FailureKind::Error(_) => "error",
            FailureKind::Survived(_) => "survived",
            FailureKind::Panic(_) => "panic",
            FailureKind::Aborted => "aborted",
            FailureKind::Abandoned { .. } => "abandoned",
            FailureKind::RuntimeGone => "runtime_gone",
            FailureKind::NotRun { .. } => "not_run",
            FailureKind::NotReady { .. } => "not_ready",
        };
        let location = match &failure.kind {
            FailureKind::Panic(panic) => panic.location.as_deref(),
            _ => None,
        };
        let origin = match failure.origin {
            FailureOrigin::Task => "task",
            FailureOrigin::Cleanup => "cleanup",
            FailureOrigin::Setup => "setup",
            FailureOrigin::Start => "start",
        };
        Self {
            origin,
            name: &failure.name,
            id: failure.id.map(TaskId::number),
            kind,
            text: failure.headline(&Repeated::default()),
            error: causes(failure),
            location,
            backtrace: failure.backtrace().map(ToString::to_string),
            at: seconds(failure.at),
        }
    }
}

#[derive(Serialize)]
struct TaskView<'a> {
    id: u64,
    name: &'a str,
    phase: u8,
    outcome: &'static str,
    ended_at: f64,
    ran: f64,
    stop_took: Option<f64>,
    status: Option<&'a str>,
}

impl<'a> TaskView<'a> {
    fn of(task: &'a TaskReport) -> Self {
        Self {
            id: task.id.number(),
            name: &task.name,
            phase: task.phase.number(),
            outcome: task.outcome.as_str(),
            ended_at: seconds(task.ended_at),
            ran: seconds(task.ran),
            stop_took: task.stop_took.map(seconds),
            status: task.status.as_deref(),
        }
    }
}

#[derive(Serialize)]
struct CleanupView<'a> {
    name: &'a str,
    outcome: Option<&'static str>,
    began_at: f64,
    took: f64,
}

impl<'a> CleanupView<'a> {
    fn of(cleanup: &'a CleanupReport) -> Self {
        Self {
            name: &cleanup.name,
            outcome: cleanup.outcome.map(Outcome::as_str),
            began_at: seconds(cleanup.began_at),
            took: seconds(cleanup.took),
        }
    }
}

#[derive(Serialize)]
struct TotalsView {
    started: u64,
    completed: u64,
    cancelled: u64,
    failed: u64,
    panicked: u64,
    aborted: u64,
    abandoned: u64,
}

#[derive(Serialize)]
struct StepsView {
    triggered: f64,
    stopping: f64,
    cleaning_up: f64,
    ended: f64,
    budget: Option<f64>,
}

fn seconds(time: Duration) -> f64 {
    time.as_secs_f64()
}

/// The words of an error and of its causes, each of which may panic.
fn causes(failure: &Failure) -> Vec<String> {
    let mut causes = Vec::new();
    let mut next = failure.error();
    while let Some(error) = next.filter(|_| causes.len() < MOST_CAUSES) {
        causes.push(display_alone(&error));
        next = catch(|| error.source()).unwrap_or(None);
    }
    causes
}
