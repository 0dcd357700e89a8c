//! What a crate needs to ship a task: the [`Task`] trait, the [`Context`] that a running task sees, and the
//! read-only view of the [`Group`] it belongs to.
//!
//! A **task** is a named unit of work with one `run`. A **manager** (crate `task-manager`) owns a group of tasks:
//! it runs them, stops them in order, and reports how each one ended. A library that offers a task depends on this
//! crate alone, which changes almost never; a service depends on the facade, `taskkit`.
//!
//! # A task
//!
//! ```
//! use task_core::{Context, Task};
//!
//! struct Heartbeat;
//!
//! impl Task for Heartbeat {
//!     async fn run(self, ctx: Context) -> anyhow::Result<()> {
//!         while !ctx.is_cancelled() {
//!             // beat, then wait, and stop waiting when the group stops
//!             # break;
//!         }
//!         Ok(())
//!     }
//! }
//! # assert_eq!(Heartbeat.name(), "Heartbeat");
//! ```
//!
//! and, with no type of its own, [`task_fn`]`("heartbeat", async |ctx| { … })`, or [`blocking_task`] for code that
//! blocks its thread.
//!
//! # Stopping
//!
//! Stopping is a request: the task's context is *cancelled*, and the task ends when it is ready to. The usual ways to
//! see it are [`Context::cancelled`] in a `select!`, [`Context::or_cancelled`] around one await, and
//! [`Context::is_cancelled`] between two steps. What must not be cut in half (a commit, a flush) is awaited outside
//! of all three. A task that takes longer than its deadline is aborted, which drops its future at its next await;
//! [`Context::remaining`] tells how much time is left.
//!
//! # How an end is judged
//!
//! | the task | outcome |
//! |---|---|
//! | returned `Ok(())` | completed |
//! | returned [`Cancelled`] as its error while its own context was cancelled | cancelled, which is clean |
//! | returned any other error | failed |
//! | panicked, or its future panicked when dropped | panicked |
//! | was dropped by the manager at its deadline, or with its runtime | aborted |
//! | was still alive when the manager had to go on without it | abandoned |
//!
//! The rule for [`Cancelled`] is by type, never by text; see [`Cancelled::is_outermost_in`].
//!
//! # Features
//!
//! `token` adds [`Context`]`::child_token`, a `tokio_util` `CancellationToken` for code that wants one. Nothing is on
//! by default.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod sync;

mod adjust;
mod blocking;
mod boxed;
mod cancelled;
mod cleanup_info;
mod cleanup_report;
mod context;
mod exits;
mod function;
mod group;
mod level;
mod outcome;
mod payload;
mod phase;
pub mod scope;
mod shutdown_info;
mod signal_count;
mod snapshot;
mod stage;
mod task;
mod task_info;
mod task_report;
mod timeout;

pub use adjust::Adjusted;
pub use blocking::{BlockingTask, blocking_task};
pub use boxed::BoxTask;
pub use cancelled::Cancelled;
pub use cleanup_info::{CleanupInfo, CleanupState};
pub use cleanup_report::CleanupReport;
pub use context::Context;
pub use exits::Exits;
pub use function::{TaskFn, task_fn};
pub use group::Group;
pub use level::WaitFor;
pub use outcome::Outcome;
pub use phase::Phase;
pub use scope::{Escalation, Hold};
pub use shutdown_info::ShutdownInfo;
pub use signal_count::SignalCount;
pub use snapshot::{Blocker, GroupSnapshot, Readiness, Step, Totals};
pub use task::Task;
pub use task_info::{TaskId, TaskInfo, TaskState};
pub use task_report::TaskReport;
pub use timeout::Timeout;
