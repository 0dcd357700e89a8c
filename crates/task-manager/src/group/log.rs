//! The manager's log events, with stable field names, under the target `task`. When they are
//! written is the matter of [`lines`](super::lines).

use std::borrow::Cow;
use std::time::Duration;

use task_core::scope::{guarded_name, guarded_text, seconds};
use task_core::{Outcome, Step, TaskId, Totals};
use tracing::level_filters::LevelFilter;
use tracing::{debug, error, info, warn};

use super::{Member, Names, Role};
use crate::report::{CauseKind, Facts, Failure, FailureKind, FailureOrigin, Report, StepTimes};

/// The task or cleanup that an event is about.
pub(crate) struct Subject {
    name: Cow<'static, str>,
    id: u64,
    role: Role,
}

impl Member {
    pub(crate) fn subject(&self) -> Subject {
        Subject { name: self.name.clone(), id: self.id.number(), role: self.role }
    }
}

pub(crate) enum Event {
    Started(Subject),
    /// A task set whether it is ready.
    Ready(Subject, bool),
    /// One task alone was asked to stop.
    StopAsked(Subject),
    /// Cleanly, or its failure is logged already. With how long it ran.
    Ended(Subject, Outcome, Duration),
    /// With how long it ran, if that is known.
    Failed(Failure, Option<Duration>),
    /// The task that a nested group is returned its failures.
    GroupFailed(Subject, anyhow::Error, Duration),
    /// An abandoned task ended.
    Late(Subject, Outcome, Option<FailureKind>),
    /// The setup failed when the report was made already.
    LateSetup(anyhow::Error),
    Triggered(CauseKind),
    /// The manager was dropped, and nothing waits for its group. What is alive, which cleanups have
    /// not run, and how many failures there were.
    Dropped {
        alive: Names,
        cleanups: Names,
        failures: u64,
    },
    Step(Step),
    Aborting(Names),
    /// With the time until the end of the shutdown.
    Waiting(Names, Option<Duration>),
    /// The clean end of a critical task, which nothing asked to, began a shutdown that was clean.
    UnaskedEnd(Report),
    Report(Report),
    /// This many lines were lost behind a sink that blocked.
    Lost(u64),
}

impl Event {
    /// Returns whether clean starts and ends of tasks, which are frequent, may be logged. Asked
    /// before the end is recorded, so it must run no foreign code: asking for the target would.
    pub(crate) fn logs_clean_tasks() -> bool {
        LevelFilter::current() >= LevelFilter::DEBUG
    }

    /// Writes the line. None is in the span of the thread that happens to write it.
    pub(crate) fn write(&self, manager: &str) {
        let manager = &*guarded_name(manager);
        match self {
            Self::Started(subject) => {
                let (task, id) = subject.fields();
                debug!(target: "task", parent: None, manager, task, id, "task started");
            }
            Self::Ready(subject, ready) => {
                let (task, id) = subject.fields();
                debug!(target: "task", parent: None, manager, task, id, ready, "task readiness changed");
            }
            Self::StopAsked(subject) => {
                let (task, id) = subject.fields();
                debug!(target: "task", parent: None, manager, task, id, "task asked to stop");
            }
            Self::Ended(subject, outcome, ran) => {
                let (name, id) = subject.fields();
                let (outcome, ran) = (outcome.as_str(), seconds(*ran));
                match subject.role {
                    Role::Task(_) | Role::Setup => {
                        debug!(target: "task", parent: None, manager, task = name, id, outcome, ran, "task ended");
                    }
                    Role::Cleanup => {
                        debug!(target: "task", parent: None, manager, cleanup = name, outcome, ran, "cleanup ended");
                    }
                }
            }
            Self::Failed(failure, ran) => write_failure(manager, failure, *ran),
            Self::GroupFailed(subject, error, ran) => {
                let (task, id) = subject.fields();
                let (outcome, ran) = (Outcome::Failed.as_str(), seconds(*ran));
                let error = guarded_text(format_args!("{error:#}"));
                error!(target: "task", parent: None, manager, task, id, outcome, ran, error, "task failed");
            }
            Self::Late(subject, outcome, kind) => {
                let ((task, id), outcome) = (subject.fields(), outcome.as_str());
                let error = kind.as_ref().map(FailureKind::detail);
                warn!(target: "task", parent: None, manager, task, id, outcome, error, "abandoned task ended after all");
            }
            Self::LateSetup(error) => {
                let error = guarded_text(format_args!("{error:#}"));
                error!(target: "task", parent: None, manager, error, "setup failed after the end");
            }
            Self::Triggered(cause) => {
                info!(target: "task", parent: None, manager, cause = cause.to_string(), "shutdown begins");
            }
            Self::Dropped { alive, cleanups, failures } => {
                let (tasks, more) = (&*alive.names, alive.more);
                let (cleanups, more_cleanups) = (&*cleanups.names, cleanups.more);
                error!(
                    target: "task", parent: None, manager, tasks, more, cleanups, more_cleanups, failures,
                    "manager dropped without a wait"
                );
            }
            Self::Step(step) => {
                debug!(target: "task", parent: None, manager, step = step.as_str(), "shutdown goes on");
            }
            Self::Aborting(Names { names: tasks, more }) => {
                warn!(target: "task", parent: None, manager, tasks, more, "deadline passed, aborting");
            }
            Self::Waiting(Names { names: tasks, more }, left) => {
                let left = left.map_or(f64::INFINITY, seconds);
                warn!(target: "task", parent: None, manager, tasks, more, left, "still waiting");
            }
            Self::UnaskedEnd(report) => {
                let cause = report.cause().to_string();
                warn!(target: "task", parent: None, manager, cause, "service ended without a stop request");
            }
            Self::Report(report) => write_report(manager, report),
            Self::Lost(lines) => {
                warn!(target: "task", parent: None, manager, lines, "log lines lost behind a sink that blocked");
            }
        }
    }
}

impl Subject {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    fn fields(&self) -> (String, u64) {
        (guarded_name(&self.name), self.id)
    }
}

fn write_failure(manager: &str, failure: &Failure, ran: Option<Duration>) {
    let (name, id) = (guarded_name(&failure.name), failure.id.map(TaskId::number));
    let (error, ran) = (failure.kind.detail(), ran.map(seconds));
    let outcome = match &failure.kind {
        FailureKind::Error(_) => Some(Outcome::Failed),
        FailureKind::Panic(_) => Some(Outcome::Panicked),
        FailureKind::Aborted { .. } | FailureKind::RuntimeGone => Some(Outcome::Aborted),
        FailureKind::Abandoned { .. } => Some(Outcome::Abandoned),
        FailureKind::EndedUnasked => Some(Outcome::Completed),
        FailureKind::Survived(_)
        | FailureKind::SurvivedPanic(_)
        | FailureKind::NotRun { .. }
        | FailureKind::NotReady { .. } => None,
    };
    let outcome = outcome.map(Outcome::as_str);
    match failure.origin {
        FailureOrigin::Task if failure.kind.is_survived() => {
            error!(target: "task", parent: None, manager, task = name, id, error, "task failed and went on");
        }
        FailureOrigin::Task => {
            error!(target: "task", parent: None, manager, task = name, id, outcome, ran, error, "task failed");
        }
        FailureOrigin::Cleanup => {
            error!(target: "task", parent: None, manager, cleanup = name, outcome, ran, error, "cleanup failed");
        }
        FailureOrigin::Setup => {
            error!(target: "task", parent: None, manager, error, "setup failed");
        }
        FailureOrigin::Start => {
            error!(target: "task", parent: None, manager, error, "start failed");
        }
    }
}

/// Writes the facts of the report's text as fields.
fn write_report(manager: &str, report: &Report) {
    let level = if report.is_clean() { LevelFilter::INFO } else { LevelFilter::ERROR };
    // All of the report's text would be made for nothing.
    if LevelFilter::current() < level {
        return;
    }
    let Facts { root, others, blocked, phases, slow } = report.facts();
    let Totals { started, completed, cancelled, failed, panicked, aborted, abandoned, .. } =
        report.totals();
    let StepTimes { triggered, stopping, cleaning_up, ended, budget, .. } = report.steps();
    let length = |from, to: Duration| seconds(to.saturating_sub(from));
    let (up, budget) = (seconds(triggered), budget.map(seconds));
    let (took, drain_took) = (length(triggered, ended), length(triggered, stopping));
    let (stop_took, cleanup_took) = (length(stopping, cleaning_up), length(cleaning_up, ended));
    let (cause, failures) = (report.cause().to_string(), report.0.failure_count());
    macro_rules! write {
        ($level:ident) => {
            $level!(
                target: "task", parent: None, manager, cause, took, budget, failures, root, others,
                blocked, up, drain_took, stop_took, cleanup_took, phases, slow, started, completed,
                cancelled, failed, panicked, aborted, abandoned, "shutdown ended"
            )
        };
    }
    if report.is_clean() { write!(info) } else { write!(error) }
}
