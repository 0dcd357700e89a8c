//! What the manager tells the log, with stable field names, under the target `task`.
//!
//! A log sink is foreign code and may block, so news are told last: after every lock is released, every waker is
//! called and every deadline is set.

use std::{borrow::Cow, sync::Arc, time::Duration};

use task_core::{Outcome, Step, TaskId};
use tracing::{debug, error, info, level_filters::LevelFilter, warn};

use crate::{
    group::entry::{Entry, Role},
    group::shared::Shared,
    lifecycle::plan::Tick,
    report::Report,
    report::cause::CauseKind,
    rt,
    threads::panics::catch,
};

pub(crate) enum News {
    Started(Arc<Entry>),
    /// It said whether it is ready.
    Ready(Arc<Entry>, bool),
    /// It alone was asked to stop.
    StopAsked(Arc<Entry>),
    Ended {
        entry: Arc<Entry>,
        outcome: Outcome,
        detail: Option<String>,
        now: Tick,
    },
    /// An abandoned task ended.
    Late {
        entry: Arc<Entry>,
        outcome: Outcome,
        detail: Option<String>,
    },
    /// The setup failed when the report was made already.
    LateSetup {
        error: String,
    },
    Survived {
        name: Cow<'static, str>,
        id: TaskId,
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

impl News {
    /// Tells whether anybody listens to what a task does while all goes well, which is what happens often.
    pub(crate) fn tells_clean_tasks() -> bool {
        // No foreign code, as to ask for this very target would be: it is asked before the end is taken in.
        LevelFilter::current() >= LevelFilter::DEBUG
    }

    pub(crate) fn log(self, shared: &Shared) {
        rt::pass_on_last_woken();
        // A subscriber that panics takes nothing else down.
        let _ = catch(|| self.write(&shared.name));
    }

    fn write(self, manager: &str) {
        match self {
            Self::Started(entry) => {
                debug!(target: "task", manager, task = &*entry.name, id = entry.id.number(), "task started");
            }
            Self::Ready(entry, ready) => {
                let (task, id) = (&*entry.name, entry.id.number());
                debug!(target: "task", manager, task, id, ready, "task readiness changed");
            }
            Self::StopAsked(entry) => {
                debug!(target: "task", manager, task = &*entry.name, id = entry.id.number(), "task asked to stop");
            }
            Self::Ended { entry, outcome, detail, now } => {
                let (task, id) = (&*entry.name, entry.id.number());
                let ran = now.saturating_sub(entry.began).as_secs_f64();
                let outcome = outcome.as_str();
                match (entry.role, detail) {
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
            Self::Late { entry, outcome, detail } => {
                let (task, id) = (&*entry.name, entry.id.number());
                let (outcome, error) = (outcome.as_str(), detail);
                warn!(target: "task", manager, task, id, outcome, error, "abandoned task ended after all");
            }
            Self::LateSetup { error } => {
                error!(target: "task", manager, error, "setup failed after the end");
            }
            Self::Survived { name, id, error } => {
                error!(target: "task", manager, task = &*name, id = id.number(), error, "task failed and went on");
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
