//! The manager's log events, with stable field names, under the target `task`.
//!
//! A log sink is foreign code and may block, so events are logged last: after every lock is
//! released, every waker called and every deadline set.

use std::{borrow::Cow, time::Duration};
use task_core::scope::catch;

use task_core::{Outcome, Step, TaskId};
use tracing::{debug, error, info, level_filters::LevelFilter, warn};

use super::{Member, Role, Shared};
use crate::report::{CauseKind, Report};
use crate::rt;

/// The task or cleanup that an event is about.
pub(crate) struct Subject {
    name: Cow<'static, str>,
    id: TaskId,
    role: Role,
}

impl Member {
    pub(crate) fn subject(&self) -> Subject {
        Subject { name: self.name.clone(), id: self.id, role: self.role }
    }
}

pub(crate) enum Event {
    Started(Subject),
    /// A task set whether it is ready.
    Ready(Subject, bool),
    /// One task alone was asked to stop.
    StopAsked(Subject),
    Ended {
        subject: Subject,
        outcome: Outcome,
        detail: Option<String>,
        ran: Duration,
    },
    /// An abandoned task ended.
    Late {
        subject: Subject,
        outcome: Outcome,
        detail: Option<String>,
    },
    /// The setup failed when the report was made already.
    LateSetup {
        error: String,
    },
    Survived {
        subject: Subject,
        error: String,
    },
    Triggered(CauseKind),
    Step(Step),
    Aborting {
        names: Vec<String>,
        more: usize,
    },
    Abandoned {
        names: Vec<String>,
        more: usize,
    },
    Waiting {
        names: Vec<String>,
        more: usize,
        left: Option<Duration>,
    },
    Report(Report),
}

impl Event {
    /// Returns whether clean starts and ends of tasks, which are frequent, may be logged. Asked
    /// before the end is recorded, so it must run no foreign code: asking for the target would.
    pub(crate) fn logs_clean_tasks() -> bool {
        LevelFilter::current() >= LevelFilter::DEBUG
    }

    pub(crate) fn log_all(events: Vec<Self>, group: &Shared) {
        events.into_iter().for_each(|event| event.log(&group.name));
    }

    pub(crate) fn log(self, manager: &str) {
        rt::pass_on_last_woken();
        // A subscriber that panics takes nothing else down.
        let _ = catch(|| self.write(manager));
    }

    fn write(self, manager: &str) {
        match self {
            Self::Started(subject) => {
                debug!(target: "task", manager, task = &*subject.name, id = subject.id.number(), "task started");
            }
            Self::Ready(subject, ready) => {
                let (task, id) = (&*subject.name, subject.id.number());
                debug!(target: "task", manager, task, id, ready, "task readiness changed");
            }
            Self::StopAsked(subject) => {
                debug!(target: "task", manager, task = &*subject.name, id = subject.id.number(), "task asked to stop");
            }
            Self::Ended { subject, outcome, detail, ran } => {
                let (task, id) = (&*subject.name, subject.id.number());
                let ran = ran.as_secs_f64();
                let outcome = outcome.as_str();
                match (subject.role, detail) {
                    (Role::Task(_), Some(error)) => {
                        error!(target: "task", manager, task, id, outcome, ran, error, "task failed");
                    }
                    (Role::Cleanup, Some(error)) => {
                        error!(target: "task", manager, cleanup = task, outcome, ran, error, "cleanup failed");
                    }
                    (Role::Task(_), None) => {
                        debug!(target: "task", manager, task, id, outcome, ran, "task ended");
                    }
                    (Role::Cleanup, None) => {
                        debug!(target: "task", manager, cleanup = task, outcome, ran, "cleanup ended");
                    }
                }
            }
            Self::Late { subject, outcome, detail } => {
                let (task, id) = (&*subject.name, subject.id.number());
                let (outcome, error) = (outcome.as_str(), detail);
                warn!(target: "task", manager, task, id, outcome, error, "abandoned task ended after all");
            }
            Self::LateSetup { error } => {
                error!(target: "task", manager, error, "setup failed after the end");
            }
            Self::Survived { subject, error } => {
                error!(target: "task", manager, task = &*subject.name, id = subject.id.number(), error, "task failed and went on");
            }
            Self::Triggered(cause) => {
                let cause = cause.to_string();
                info!(target: "task", manager, cause, "shutdown begins");
            }
            Self::Step(step) => {
                let step = step.as_str();
                debug!(target: "task", manager, step, "shutdown goes on");
            }
            Self::Aborting { names, more } => {
                let tasks = names.join(", ");
                warn!(target: "task", manager, tasks, more, "deadline passed, aborting");
            }
            Self::Abandoned { names, more } => {
                let tasks = names.join(", ");
                error!(target: "task", manager, tasks, more, "still alive after the abort, abandoned");
            }
            Self::Waiting { names, more, left } => {
                let tasks = names.join(", ");
                let left = left.map_or(f64::INFINITY, |left| left.as_secs_f64());
                warn!(target: "task", manager, tasks, more, left, "still waiting");
            }
            Self::Report(report) => {
                let steps = report.steps();
                let took = steps.ended.saturating_sub(steps.triggered).as_secs_f64();
                let cause = report.cause().to_string();
                let failures = report.failures().len() as u64 + report.omitted_failures();
                if report.is_clean() {
                    info!(target: "task", manager, cause, took, failures, "shutdown ended");
                } else {
                    error!(target: "task", manager, cause, took, failures, "shutdown ended");
                }
            }
        }
    }
}
