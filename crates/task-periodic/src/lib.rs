//! Periodic work as tasks: [`LoopTask`] runs again some time after it ended, [`PollTask`] runs on a clock, and, with
//! feature `cron`, `CronTask` at times of the day.
//!
//! | | the next run begins | for |
//! |---|---|---|
//! | [`LoopTask`] | a delay after the last one ended | sweeping, draining a queue, whatever needs a pause |
//! | [`PollTask`] | at the next tick of a period | refreshing, sampling, heartbeats |
//! | `CronTask` | at the next match of a cron pattern in a time zone | nightly jobs |
//!
//! They have one anatomy, [`PeriodicTask`]: a name, an interval, and an [`Action`], which is an async closure or a
//! type of its own; and the same options, which say when the [first run](FirstRun) begins, what
//! [a failure means](OnFailure), how long to [back off](Backoff) after it, how long [one run](PeriodicTask::run_timeout) may take, and
//! how much of each wait is [random](Jitter).
//!
//! ```
//! use std::time::Duration;
//! use task_core::Task;
//! use task_periodic::{LoopTask, OnFailure, PollTask};
//! # #[derive(Clone)] struct Cache;
//! # impl Cache {
//! #     async fn refresh(&self) -> anyhow::Result<()> { Ok(()) }
//! #     async fn evict(&self) -> anyhow::Result<()> { Ok(()) }
//! # }
//!
//! # fn tasks(cache: Cache) -> anyhow::Result<()> {
//! let refresh = PollTask::new("refresh", Duration::from_secs(30), {
//!     let cache = cache.clone();
//!     async move |_ctx| cache.refresh().await
//! })?
//! .on_failure(OnFailure::FailAfter(10))
//! .gating_readiness(); // the group is not ready before the first good run
//! let evict = LoopTask::new("evict", Duration::from_secs(5), async move |_ctx| cache.evict().await)?;
//! // manager.run(refresh)?; manager.run(evict)?;
//! # Ok(())
//! # }
//! ```
//!
//! # Limitations
//!
//! There is no record of runs beyond the process: what falls due while it is not running is not made up for, and every
//! replica of a service has its own. A run cannot be started from outside; a task that waits for a signal or a
//! message is better than a poll where there is one.
//!
//! # Features
//!
//! `cron` adds `CronTask` and `CronSchedule`. Nothing is on by default.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

mod error;

mod action;
mod backoff;
mod first_run;
mod jitter;
mod missed_ticks;
mod on_failure;
mod run_timed_out;

#[cfg(feature = "cron")]
mod cron_task;
mod loop_task;
mod periodic;
mod poll_task;

mod attempt;
mod clock;
mod failure;
mod pace;
mod run;
mod schedule;
mod tally;
mod throttle;

pub use action::{Action, Stateful, Step, stateful};
pub use backoff::Backoff;
#[cfg(feature = "cron")]
pub use cron_task::CronTask;
pub use error::PeriodicError;
pub use first_run::FirstRun;
pub use jitter::Jitter;
pub use loop_task::LoopTask;
pub use missed_ticks::MissedTicks;
pub use on_failure::OnFailure;
pub use periodic::PeriodicTask;
pub use poll_task::PollTask;
pub use run_timed_out::RunTimedOut;
#[cfg(feature = "cron")]
pub use schedule::CronSchedule;
pub use schedule::{Periodical, Schedule, Spaced};
