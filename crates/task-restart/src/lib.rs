//! Runs a task again after it failed: with a back-off, up to a limit of failures, and with a
//! readiness that follows the run.
//!
//! A group stops when one of its tasks fails, and the platform (Kubernetes, systemd) starts the
//! service anew. That is right for most failures, and dear for one: a connection to something that
//! is away for a while. [`restarting`] runs the one task that has the connection again, while the
//! others go on. If that does not help, the task fails, and the group stops as it would have.
//!
//! ```
//! use std::time::Duration;
//! use task_core::{Context, Task, task_fn};
//! use task_restart::restarting;
//! # #[derive(Clone)] struct Config;
//! # #[derive(Debug, thiserror::Error)] #[error("bad credentials")] struct BadCredentials;
//! # struct Consumer;
//! # impl Consumer {
//! #     fn new(_: &Config) -> anyhow::Result<Self> { Ok(Self) }
//! #     async fn consume(self, ctx: Context) -> anyhow::Result<()> { ctx.cancelled().await; Ok(()) }
//! # }
//!
//! # fn tasks(config: Config) -> anyhow::Result<()> {
//! let consumer = restarting(move || {
//!     // The first one is made now: a bad configuration is an error of the start.
//!     let consumer = Consumer::new(&config)?;
//!     Ok(task_fn("consumer", async move |ctx| consumer.consume(ctx).await))
//! })?
//! .fatal_if(|error| error.is::<BadCredentials>()) // no retry makes these better
//! .keep_ready_for(Duration::from_secs(5))
//! .gating_readiness();
//! // manager.run(consumer)?;
//! # Ok(())
//! # }
//! ```
//!
//! # Options
//!
//! The defaults are safe for a service: a dependency may be away for ten minutes, and a task that
//! never works stops the group within half an hour.
//!
//! | option | sets | default |
//! |---|---|---|
//! | [`on`](Restarting::on) | after which ends the task is run again | after a failure |
//! | [`backoff`](Restarting::backoff) | the wait after failed runs | from 1 s to 1 min, half of it random |
//! | [`stable_after`](Restarting::stable_after) | how long a run is up until the back-off starts over | 60 s |
//! | [`limit`](Restarting::limit) | how many failures within which time are survived | 30 within an hour |
//! | [`fatal_if`](Restarting::fatal_if) | which errors are not survived | none |
//! | [`run_timeout`](Restarting::run_timeout) | how long one run may take | no limit |
//! | [`run_stop_timeout`](Restarting::run_stop_timeout) | how long a run that alone is asked to end may take | 10 s |
//! | [`keep_ready_for`](Restarting::keep_ready_for) | for how long readiness survives a run | not at all |
//! | [`record_failures`](Restarting::record_failures) | that survived failures are in the report | they are logged and counted |
//!
//! [`RestartHandle`] asks for another run, such as after a certificate has changed.
//!
//! # What a run loses
//!
//! A run begins with what the factory gives it, and ends with all that it owned. Three things
//! belong into the factory's captures, or even outside of it:
//!
//! - **A listener.** A socket that is bound by the run is closed with it, and connections are
//!   refused until the next run has bound it again. Bind it outside, and give each run a clone of
//!   an `Arc`.
//! - **The receiver of a channel.** A receiver that a run owns takes the messages in it along.
//!   Capture `Arc<tokio::sync::Mutex<Receiver>>`, and let the run lock it. A message that the run
//!   has received and not handled is lost all the same: only an acknowledgement to where it came
//!   from helps.
//! - **State under a `std::sync::Mutex`.** A panic while it is locked poisons it, and each later
//!   run that unwraps the lock panics as well. Make such state anew in the factory, or ignore the
//!   poison where a half-made change does no harm.
//!
//! ```
//! use std::{net::TcpListener, sync::Arc};
//! use task_core::{Context, Task, task_fn};
//! use task_restart::restarting;
//! use tokio::sync::{Mutex, mpsc::Receiver};
//! # async fn handle(_: u32) -> anyhow::Result<()> { Ok(()) }
//!
//! fn worker(listener: TcpListener, orders: Receiver<u32>) -> anyhow::Result<impl Task> {
//!     let (listener, orders) = (Arc::new(listener), Arc::new(Mutex::new(orders)));
//!     restarting(move || {
//!         let (listener, orders) = (listener.clone(), orders.clone());
//!         Ok(task_fn("worker", async move |ctx: Context| {
//!             ctx.set_status(format!("listening on {}", listener.local_addr()?));
//!             let mut orders = orders.lock().await; // of this run until it ends
//!             while let Some(order) = ctx.or_cancelled(orders.recv()).await? {
//!                 handle(order).await?;
//!             }
//!             Ok(())
//!         }))
//!     })
//! }
//! # use tokio as _;
//! ```
//!
//! # Threads
//!
//! A thread cannot be dropped. A [`blocking_task`](task_core::blocking_task), and whatever else
//! keeps a [`Hold`](task_core::Hold), is asked to end with its run, and the next run begins when it
//! has. If it does not within [`run_stop_timeout`](Restarting::run_stop_timeout), the task fails
//! with [`RunStillHeld`]: two of them beside each other would be worse than none.
//!
//! # Groups
//!
//! With feature `group`, `restarting_group` restarts several tasks as one: they are stopped in
//! order and cleaned up before the next run. It is what is left to choose where tasks depend on
//! each other; where they do not, each has a `restarting` of its own.
//!
//! # Limitations
//!
//! - Under `panic = "abort"` a panic ends the process.
//! - The factory is called on the runtime and must not block.
//! - Spawned tasks and threads without a hold are not part of a run, and may live beside the next.
//! - A call of [`set_ready`](task_core::Context::set_ready) by a helper at the very instant at
//!   which its run ends may show for that instant; what stands after it is what the next run says.
//! - Nothing is remembered beyond the process. What starts that anew has limits of its own: systemd
//!   5 starts in 10 s, Kubernetes none, with waits of up to five minutes.
//!
//! # Platforms
//!
//! The same on every system, but for a machine that sleeps: on Linux and macOS that time does not
//! count for waits and limits.
//!
//! # Features
//!
//! `group` adds `restarting_group`, and the dependency on `task-manager`. Nothing is enabled by
//! default.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

// The task, and what asks it for another run.
#[cfg(feature = "group")]
mod group;
mod handle;
mod restarting;

// One run after the other: make, run, judge, wait.
mod attempt;
mod judge;
mod supervise;
mod tally;

// What the context of a run points to.
mod run;
mod shared;

// Small values, and the arithmetic of failures.
mod error;
mod failure;
mod failure_limit;
mod options;
mod policy;
mod restart;

mod alarm;
mod rt;
mod sync;

pub use error::{RestartError, RunStillHeld, TooManyFailures};
pub use failure_limit::FailureLimit;
#[cfg(feature = "group")]
pub use group::{GroupRun, restarting_group};
pub use handle::RestartHandle;
pub use restart::Restart;
pub use restarting::{Restarting, restarting};
#[doc(no_inline)]
pub use task_core::{Backoff, RunTimedOut};
