//! The manager's log events, with stable field names, under the target `task`.
//!
//! A log sink is foreign code and may block, so events are logged last: after every lock is
//! released, every waker called and every deadline set. Lines of the deadline thread may come while
//! its wakers are still being called.

use std::borrow::Cow;
use std::time::Duration;

use task_core::scope::catch;
use task_core::{Outcome, Step};
use tracing::level_filters::LevelFilter;
use tracing::{debug, error, info, warn};

use super::{Member, Names, Role, Shared};
use crate::report::{CauseKind, Report};
use crate::rt;

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
    /// With the error, and how long it ran.
    Ended(Subject, Outcome, Option<String>, Duration),
    /// An abandoned task ended.
    Late(Subject, Outcome, Option<String>),
    /// The setup failed when the report was made already.
    LateSetup(String),
    Survived(Subject, String),
    Triggered(CauseKind),
    Step(Step),
    Aborting(Names),
    Abandoned(Names),
    /// With the time until the end of the shutdown.
    Waiting(Names, Option<Duration>),
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
            Self::Started(Subject { name: task, id, .. }) => {
                debug!(target: "task", manager, task = &*task, id, "task started");
            }
            Self::Ready(Subject { name: task, id, .. }, ready) => {
                debug!(target: "task", manager, task = &*task, id, ready, "task readiness changed");
            }
            Self::StopAsked(Subject { name: task, id, .. }) => {
                debug!(target: "task", manager, task = &*task, id, "task asked to stop");
            }
            Self::Ended(Subject { name, id, role }, outcome, error, ran) => {
                let (task, outcome, ran) = (&*name, outcome.as_str(), ran.as_secs_f64());
                match (role, error) {
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
            Self::Late(Subject { name, id, .. }, outcome, error) => {
                let (task, outcome) = (&*name, outcome.as_str());
                warn!(target: "task", manager, task, id, outcome, error, "abandoned task ended after all");
            }
            Self::LateSetup(error) => {
                error!(target: "task", manager, error, "setup failed after the end");
            }
            Self::Survived(Subject { name: task, id, .. }, error) => {
                error!(target: "task", manager, task = &*task, id, error, "task failed and went on");
            }
            Self::Triggered(cause) => {
                info!(target: "task", manager, cause = cause.to_string(), "shutdown begins");
            }
            Self::Step(step) => {
                debug!(target: "task", manager, step = step.as_str(), "shutdown goes on");
            }
            Self::Aborting(Names { tasks, more }) => {
                warn!(target: "task", manager, tasks, more, "deadline passed, aborting");
            }
            Self::Abandoned(Names { tasks, more }) => {
                error!(target: "task", manager, tasks, more, "still alive after the abort, abandoned");
            }
            Self::Waiting(Names { tasks, more }, left) => {
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
