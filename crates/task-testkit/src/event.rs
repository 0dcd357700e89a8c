//! What a task reported, and what was done to it.

use std::{fmt, time::Duration};

use task_core::{Escalation, Outcome};

use crate::text::seconds;

/// One entry of the record of a [`TestRun`](crate::TestRun). `Display` is one line.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Event {
    /// When it happened, as time since the start of the run, on Tokio's clock.
    pub at: Duration,
    /// What happened.
    pub kind: EventKind,
}

/// The kinds of [`Event`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum EventKind {
    /// The task called `set_ready`.
    Ready(bool),
    /// The task called `set_status`.
    Status(String),
    /// The task called `request_stop`, with this reason.
    StopRequested(String),
    /// The task called `escalate`.
    Escalated(Escalation),
    /// A hold was taken.
    Held,
    /// A hold was released.
    Released,
    /// A failure or a panic was recorded, by the task or by a thread of it: its text, with causes.
    Failure(String),
    /// The task called `count_failure`.
    FailureCounted,
    /// The task called `record_restart`.
    Restarted,
    /// The task called `record_wait`.
    Waits(Option<Duration>),
    /// The task called `record_signal`.
    Signal {
        /// The signal's name.
        name: String,
        /// How often it had arrived.
        count: u64,
    },
    /// The drain began.
    Draining,
    /// The task was cancelled.
    Cancelled,
    /// The task was aborted.
    Aborted,
    /// The task ended.
    Ended(Outcome),
}

impl EventKind {
    /// Returns whether the task did it, and not the test.
    pub(crate) fn is_of_the_task(&self) -> bool {
        match self {
            Self::Draining | Self::Cancelled | Self::Aborted | Self::Ended(_) => false,
            Self::Ready(_)
            | Self::Status(_)
            | Self::StopRequested(_)
            | Self::Escalated(_)
            | Self::Held
            | Self::Released
            | Self::Failure(_)
            | Self::FailureCounted
            | Self::Restarted
            | Self::Waits(_)
            | Self::Signal { .. } => true,
        }
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready(true) => f.write_str("ready"),
            Self::Ready(false) => f.write_str("not ready"),
            Self::Status(status) => write!(f, "status: {status}"),
            Self::StopRequested(reason) => write!(f, "asks the group to stop: {reason}"),
            Self::Escalated(level) => write!(f, "escalates: {level:?}"),
            Self::Held => f.write_str("takes a hold"),
            Self::Released => f.write_str("releases a hold"),
            Self::Failure(text) => write!(f, "records a failure: {text}"),
            Self::FailureCounted => f.write_str("counts a failure"),
            Self::Restarted => f.write_str("restarts"),
            Self::Waits(Some(wait)) => write!(f, "waits for {}", seconds(*wait)),
            Self::Waits(None) => f.write_str("works"),
            Self::Signal { name, count } => write!(f, "signal {name}, number {count}"),
            Self::Draining => f.write_str("is asked to drain"),
            Self::Cancelled => f.write_str("is cancelled"),
            Self::Aborted => f.write_str("is aborted"),
            Self::Ended(outcome) => write!(f, "ends: {outcome}"),
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>10}  {}", seconds(self.at), self.kind)
    }
}
