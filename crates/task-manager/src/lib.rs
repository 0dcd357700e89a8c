//! An errgroup-style supervisor for Tokio services: runs tasks, stops them in order when one ends or somebody asks,
//! keeps its deadlines even when the runtime is blocked, and reports how each task ended.
//!
//! ```
//! use task_manager::{Context, Manager, Phase, Task, task_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> anyhow::Result<()> {
//! let manager = Manager::new();
//! manager.cleanup("database", async || Ok(()))?; // runs last, after the tasks
//! manager.run(task_fn("probes", async |ctx: Context| {
//!     ctx.cancelled().await;
//!     Ok(())
//! }).in_phase(Phase::SUPPORT))?; // is stopped after the work
//! manager.run(task_fn("consumer", async |ctx: Context| {
//!     ctx.or_cancelled(async { /* receive */ }).await?;
//!     Ok(())
//! }))?; // critical: its end stops the group
//! let report = manager.wait().await?; // an error if anything went wrong
//! println!("{report}");
//! # Ok(())
//! # }
//! ```
//!
//! A service takes its entry point from `task-service`, which owns `main`, signals and the exit code.
//!
//! # Tasks
//!
//! [`Manager::run`] admits a **critical** task: any end of it stops the group, unless
//! [only failures do](ManagerBuilder::only_failures_stop). [`Manager::run_ephemeral`] admits one
//! whose clean end is fine. Both give a [`TaskHandle`], to stop that one task or to wait for its [`Outcome`]; dropping
//! it changes nothing. Tasks are spawned, so they run in parallel on a multi-thread runtime. Each runs in a
//! [`tracing`] span `task` with its name.
//!
//! # The shutdown
//!
//! It begins with the first **trigger**: a critical task ended, any task failed or panicked, [`Manager::stop`], a
//! [`Context::request_stop`], the parent token (feature `token`), the drop of the manager, a failed setup, the start
//! timeout, or completion, which is judged from the first poll of a [`wait`](Manager::wait) on: nothing but support
//! tasks is left, or nothing at all if there was nothing else. Then, in order:
//!
//! | step | what happens | budget |
//! |---|---|---|
//! | draining | not ready any more; nothing is cancelled, new tasks are admitted | [`drain_delay`](ManagerBuilder::drain_delay), 0 |
//! | stopping | phase by phase: contexts are cancelled; at the phase's deadline its tasks are aborted, then abandoned | what is left |
//! | cleaning up | hooks, last registered first, each with a fair share | [`cleanup_timeout`](ManagerBuilder::cleanup_timeout), 5 s |
//! | ended | the [`Report`] is made, and every `wait` returns | [`shutdown_timeout`](ManagerBuilder::shutdown_timeout), 25 s in all |
//!
//! All deadlines are fixed at the trigger. Of n phases with tasks the i-th must be over `(n - i) · min(1 s, stop/2n)`
//! before the stop budget ends, up to 250 ms of which are for aborted tasks to be dropped; tasks that are still alive
//! then are named as abandoned. Nobody needs to wait for any of this to happen.
//!
//! # Deadlines hold when the runtime does not
//!
//! A task that blocks its thread can take Tokio's timers and sockets with it: all of them when every worker is blocked,
//! and sometimes when one is, the one that was about to poll them. A plain thread, one per process and asleep until there
//! is a deadline, or several wakers to be called at once, keeps the same deadlines. With every worker of a multi-thread runtime blocked, `wait()` in
//! `block_on` returns at the deadline with the names of the stuck tasks. Where the code that waits is itself blocked
//! (a current-thread runtime, a `wait` in a task on a blocked worker), nothing can be returned to it; for that case
//! [`ManagerBuilder::hard_exit`] ends the process 1 s after the budget.
//!
//! In tests, tokio's paused time drives everything; the thread reads the same clock.
//!
//! # What the log says
//!
//! [`tracing`] events under the target `task`. Every one of the manager's has the field `manager`; messages and fields
//! are stable, and new ones may come. `task` is a task's name and `id` tells those of one name apart; `tasks` is up to 20 names, and
//! `more` how many others there are. Times are seconds.
//!
//! | message | level | fields |
//! |---|---|---|
//! | `task started` | debug | `task`, `id` |
//! | `task readiness changed` | debug | `task`, `id`, `ready` |
//! | `task asked to stop`: it alone | debug | `task`, `id` |
//! | `task ended`, `cleanup ended`: cleanly, or aborted; of a held task also after its `task failed` | debug | `task` and `id`, or `cleanup`; `outcome`, `ran` |
//! | `task failed`, `cleanup failed` | error | the same, `error` |
//! | `task failed and went on` | error | `task`, `id`, `error` |
//! | `shutdown begins` | info | `cause` |
//! | `shutdown goes on` | debug | `step` |
//! | `still waiting`: every 5 s | warn | `tasks`, `more`, `left` |
//! | `deadline passed, aborting` | warn | `tasks`, `more` |
//! | `still alive after the abort, abandoned` | error | `tasks`, `more` |
//! | `abandoned task ended after all` | warn | `task`, `id`, `outcome`, `error` |
//! | `setup failed after the end` | error | `error` |
//! | `shutdown ended` | info if clean, else error | `cause`, `took`, `failures` |
//!
//! A task's own lines are in the span `task` with `name` and `id`, a cleanup's in the span `cleanup` with `name`.
//!
//! Logging comes last, when every deadline is set and every waker called. A log sink that blocks thus holds up the log, and the one thread that was telling what
//! it had done itself (by `run`, `stop`, `set_ready`, the first poll of a `wait`, the end of a task), but nobody else and no deadline.
//! Of the deadline thread's own lines those beyond the 1,024 that wait are lost then; the report has it all.
//! Lines of different threads need not come in the order of the events; the report has that.
//!
//! # Limitations
//!
//! - A task that never awaits cannot be aborted, nor can a thread: they are named, and left behind.
//! - Under `panic = "abort"` there is no shutdown. A panic in a `Drop` while a panic unwinds aborts the process as well.
//! - What a task spawns by itself is not tracked, unless it keeps a [`Hold`](Context::hold).
//! - A waker that blocks a worker of the runtime also holds the task that was woken right before it, which Tokio keeps
//!   for that very worker.
//! - A task whose runtime never gets to poll it before it is abandoned is never polled.
//! - A value that panics when it is dropped on the way out of a task takes the place of what the task was about to
//!   return, also of an error: that is Rust's doing, and nobody else ever sees it.
//! - A task that is admitted during a shutdown shares the time that is left; if its phase has none, it is polled once and
//!   aborted.
//! - The place of a panic comes from the process-wide panic hook, installed by the first manager; a hook set later
//!   costs the place, not the message.
//!
//! # Features
//!
//! `token`: `ManagerBuilder::parent` and `Context::child_token`, with `tokio_util`'s `CancellationToken`. `serde`: `Serialize`
//! for the report. Nothing is on by default.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod api;

mod group;

mod report;

mod threads;

mod lifecycle;

mod rt;
mod sync;

mod delivery;

pub use api::builder::{BuildError, ManagerBuilder};
pub use api::handle::ManagerHandle;
pub use api::manager::Manager;
pub use api::nested::Nested;
pub use api::task_handle::TaskHandle;
pub use report::cause::{Cause, CauseKind};
pub use report::error::ShutdownError;
pub use report::failure::{Failure, FailureKind, FailureOrigin};
pub use report::refused::{Refused, RefusedReason};
pub use report::{Report, StepTimes};
pub use task_core::*;
pub use threads::panics::Panic;

pub use group::wait::NotReadyError;
