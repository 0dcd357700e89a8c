//! What a crate needs to ship a task: the [`Task`] trait, the [`Context`] of a running task, and
//! the read-only view of its [`Group`].
//!
//! A **task** is a named unit of work with one `run`. A **manager** (crate `task-manager`) owns a
//! group of tasks: it runs them, stops them in order, and reports how each of them ended. A library
//! that offers a task depends on this crate alone, which has no runtime and rarely changes. A
//! service depends on the facade, `taskkit`.
//!
//! # A task
//!
//! Implement [`Task`] for a type, or wrap a closure by [`task_fn`]:
//!
//! ```
//! use task_core::{Context, Task, task_fn};
//!
//! struct Heartbeat;
//!
//! impl Task for Heartbeat {
//!     async fn run(self, ctx: Context) -> anyhow::Result<()> {
//!         ctx.cancelled().await;
//!         Ok(())
//!     }
//! }
//!
//! let same = task_fn("heartbeat", async |ctx: Context| {
//!     ctx.cancelled().await;
//!     Ok(())
//! });
//! assert_eq!((Heartbeat.name(), same.name()), ("Heartbeat".into(), "heartbeat".into()));
//! ```
//!
//! A task has a name, a [`Phase`], which places it in the order of the shutdown, and optionally
//! gates the group's readiness. [`Task::named`], [`Task::in_phase`] and [`Task::gating_readiness`]
//! change these from outside. [`BoxTask`] is one type for tasks of any type.
//!
//! # Stopping
//!
//! A stop is a request: the task's context is *cancelled*, and the task ends when it is ready to.
//! There are three ways to notice it:
//!
//! ```
//! use task_core::Context;
//! # async fn receive() -> u32 { 1 }
//! # async fn commit(_: u32) -> anyhow::Result<()> { Ok(()) }
//!
//! async fn consume(ctx: Context) -> anyhow::Result<()> {
//!     while !ctx.is_cancelled() {
//!         // Dropped at a stop; `?` then ends the task cleanly.
//!         let message = ctx.or_cancelled(receive()).await?;
//!         // Awaited outside of `or_cancelled`: a stop does not interrupt it.
//!         commit(message).await?;
//!     }
//!     Ok(())
//! }
//! ```
//!
//! and [`Context::cancelled`], a future for `select!`; [`Context::cancelled_owned`] is one for
//! frameworks that want a `'static` future, and `Context::finish_within` (with feature `time`)
//! gives a future some time after the stop. A task that takes longer than its deadline is aborted,
//! which drops its future at its next await; [`Context::remaining`] returns how much time is left.
//! Before the stop there may be a *drain*, in which the group is no longer ready and
//! the task works on: see [`Context::draining`].
//!
//! # How an end is judged
//!
//! | the task | outcome |
//! |---|---|
//! | returned `Ok(())` | [`Completed`](Outcome::Completed) |
//! | returned [`Cancelled`] as its error, while its own context was cancelled | [`Cancelled`](Outcome::Cancelled), which is clean |
//! | returned any other error | [`Failed`](Outcome::Failed) |
//! | panicked, or its future panicked when dropped, or a thread of it panicked; see [`Hold`] | [`Panicked`](Outcome::Panicked) |
//! | was dropped by the manager at its deadline, or with its runtime | [`Aborted`](Outcome::Aborted) |
//! | was still alive when the shutdown went on without it | [`Abandoned`](Outcome::Abandoned) |
//!
//! The rule for [`Cancelled`] goes by the type of the error, never by its text; see
//! [`Cancelled::is_outermost_in`].
//!
//! # Errors of other types
//!
//! A task's function returns [`anyhow::Result`], whose error `?` makes of any error type. One that
//! returns another error is wrapped where the task is made: `task_fn("consumer", async |ctx|
//! Ok(consume(ctx).await?))`. For `Box<dyn Error + Send + Sync>` and `eyre::Report`, see
//! [`any_error`]. The same goes for periodic actions, cleanups and the setup of a service.
//!
//! # Readiness
//!
//! A group is ready once the manager is waited for and every task that
//! [gates readiness](Task::gates_readiness) has called [`Context::set_ready`]. It is not ready any
//! more from the first moment of a shutdown on.
//!
//! ```
//! use task_core::{Context, Task, task_fn};
//! # async fn load() {}
//!
//! let prices = task_fn("prices", async |ctx: Context| {
//!     ctx.or_cancelled(load()).await?;
//!     ctx.set_ready(true);
//!     ctx.cancelled().await;
//!     Ok(())
//! })
//! .gating_readiness();
//! assert!(prices.gates_readiness());
//! ```
//!
//! # Threads and spawned tasks
//!
//! What a task starts by itself is not part of it. A [`Hold`] makes it so: the task counts as alive
//! until the last [`Context::hold`] is dropped, and a panic of its holder is a failure of the task.
//! A clone of the context shows the stop to a helper.
//!
//! # Blocking work
//!
//! [`blocking_task`] runs a synchronous closure on an OS thread of its own, with
//! [`Context::wait_cancelled`] as its interruptible sleep. It is also the place for futures that
//! are not `Send`.
//!
//! # Testing a task
//!
//! A task is tested without a manager: the crate `task-testkit` records what it reports, and stops
//! it at each of its awaits in turn. Without that crate, a [`StageCell`](scope::StageCell) is all
//! that a context needs. On Tokio's paused clock an hour of a task's life takes no time; threads
//! need [some care](blocking_task#paused-clocks) there.
//!
//! ```
//! use std::{sync::Arc, time::Duration};
//! use task_core::{Cancelled, Context, Task, scope::{Stage, StageCell}, task_fn};
//! use tokio::time::sleep;
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() {
//! let hourly = task_fn("hourly", async |ctx: Context| {
//!     loop {
//!         ctx.or_cancelled(sleep(Duration::from_secs(3600))).await?;
//!     }
//! });
//! let stage = Arc::new(StageCell::new());
//! let running = tokio::spawn(hourly.run(Context::new(stage.clone())));
//!
//! sleep(Duration::from_secs(5000)).await;
//! stage.advance(Stage::Cancelled);
//!
//! let error = running.await.unwrap().unwrap_err();
//! assert!(Cancelled::is_outermost_in(&error)); // a manager would judge it as a clean end
//! # }
//! ```
//!
//! # Managers and test kits
//!
//! The module [`scope`] is the interface that a manager or a test kit implements. Tasks do not use
//! it.
//!
//! # What is not guaranteed
//!
//! - A task that never awaits, and a thread, cannot be aborted. The manager names it in the report
//!   and goes on without it.
//! - The order in which tasks of one phase end.
//! - That a task observes a stop: if its runtime is shut down, its future is dropped.
//!
//! # Platforms
//!
//! The same on every system. A target needs atomic 64-bit numbers (`target_has_atomic = "64"`);
//! without them the crate does not compile, and says so.
//!
//! # Features
//!
//! `token` adds [`Context`]`::child_token`, a `tokio_util` `CancellationToken` for code that takes
//! one. `time` adds [`Context`]`::finish_within`, whose limit is a Tokio timer. With `suspend`,
//! [`FuseInstant`] counts the time in which a Linux machine sleeps. No feature is on by default.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

// The task: the trait, and what implements it.
mod adjust;
mod blocking;
mod boxed;
mod function;
mod task;

// What a running task sees of its manager, and the interface that a manager implements.
mod children;
mod context;
mod escalation;
#[cfg(feature = "time")]
mod finish;
mod fuse;
mod fuse_instant;
mod hold;
mod pulse;
pub mod scope;
mod stage;
mod wait_for_owned;

// The read-only view of a group, and the parts of it that are also in the report.
mod cleanup_info;
mod cleanup_report;
mod event_kind;
mod exits;
mod group;
mod group_event;
mod group_events;
mod shutdown_info;
mod signal_count;
mod snapshot;
mod task_info;
mod task_report;

// Small values.
mod any_error;
mod backoff;
mod cancelled;
mod outcome;
mod phase;
mod run_timed_out;
mod timeout;

// Waiting, and the handling of code that may panic or block.
mod bounded;
mod channel;
mod level;
mod message;
mod panics;
mod runtime_probe;
mod sync;
mod text;

pub use adjust::Adjusted;
pub use blocking::{BlockingTask, blocking_task};
pub use boxed::BoxTask;
pub use function::{TaskFn, TaskResult, task_fn};
pub use task::Task;

pub use context::Context;
pub use escalation::Escalation;
pub use fuse::Fuse;
pub use fuse_instant::FuseInstant;
pub use hold::Hold;
pub use pulse::{Beat, Pulse};
pub use wait_for_owned::WaitForOwned;

pub use cleanup_info::{CleanupInfo, CleanupState};
pub use cleanup_report::CleanupReport;
pub use event_kind::EventKind;
pub use exits::Exits;
pub use group::Group;
pub use group_event::GroupEvent;
pub use group_events::{GroupEvents, WatchedEvent};
pub use shutdown_info::ShutdownInfo;
pub use signal_count::SignalCount;
pub use snapshot::{Blocker, GroupSnapshot, Readiness, Step, Totals};
pub use task_info::{StopDeadline, TaskId, TaskInfo, TaskState};
pub use task_report::TaskReport;

pub use any_error::{IntoAnyError, any_error};
pub use backoff::{Backoff, BackoffError};
pub use cancelled::Cancelled;
pub use outcome::Outcome;
pub use phase::Phase;
pub use run_timed_out::RunTimedOut;
pub use timeout::Timeout;

pub use level::WaitFor;
pub use panics::Panic;
