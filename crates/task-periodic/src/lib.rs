//! Periodic work as tasks: [`LoopTask`] runs again some time after its last run ended, [`PollTask`]
//! runs at a fixed period, and, with feature `cron`, `CronTask` runs at times of the day.
//!
//! | | the next run begins | for |
//! |---|---|---|
//! | [`LoopTask`] | a delay after the last run ended | sweeping, draining a queue, work that needs a pause |
//! | [`PollTask`] | at the next tick of a period | refreshing, sampling, heartbeats |
//! | `CronTask` | at the next match of a cron pattern in a time zone | nightly jobs |
//!
//! All three are a [`PeriodicTask`]: a name, a schedule, an [`Action`] (an async closure, a
//! [`blocking`] closure, or a type that implements the trait), and the same options.
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
//! .gating_readiness(); // the group is not ready before the first successful run
//! let evict = LoopTask::new("evict", Duration::from_secs(5), async move |_ctx| cache.evict().await)?;
//! // manager.run(refresh)?; manager.run(evict)?;
//! # Ok(())
//! # }
//! ```
//!
//! # Options
//!
//! Intervals, which a schedule cannot do without, are arguments of the constructors; the options
//! are setters with defaults. Every value is checked when it is constructed, so a setter cannot
//! fail.
//!
//! | option | sets | default |
//! |---|---|---|
//! | [`first_run`](PeriodicTask::first_run) | when the first run begins | immediately; for cron, on schedule |
//! | [`on_failure`](PeriodicTask::on_failure) | what a failed run means for the task | the task continues |
//! | [`backoff`](PeriodicTask::backoff) | the least wait after failed runs | from 1 s to 1 min |
//! | [`run_timeout`](PeriodicTask::run_timeout) | how long one run may take | no limit |
//! | [`jitter`](PeriodicTask::jitter) | the random part of each wait | none |
//! | [`run_at_stop`](PeriodicTask::run_at_stop) | one last run at the stop | none |
//! | [`missed_ticks`](PollTask::missed_ticks) | what happens to ticks that pass during a run (poll and cron) | they are skipped |
//!
//! # Shutdown
//!
//! A stop ends a wait at once, and starts no further run, except for the last one of
//! [`run_at_stop`](PeriodicTask::run_at_stop). A run in progress is not dropped: the task ends when
//! the run does, or is aborted at the deadline of its phase. A run that can stop
//! early looks at its [`Context`](task_core::Context); see [`Action::run`].
//!
//! # Limitations
//!
//! - Nothing is remembered beyond the process: ticks that pass while it is down are not made up
//!   for.
//! - Replicas of a service do not coordinate: each runs its own schedule. [`Jitter`] keeps them
//!   from running at the same instant.
//! - A run cannot be started from outside. Where work is announced by an event or a message, a task
//!   that waits for it is better than a poll.
//!
//! # Platforms
//!
//! | what | Unix | Windows |
//! |---|---|---|
//! | time zones of `CronTask` | the system's database, else the bundled one | the bundled one |
//! | `CronSchedule::in_system_zone` | `TZ`, then `/etc/localtime` | `TZ`, then the system's settings |
//!
//! While the machine sleeps, the periods of [`LoopTask`] and [`PollTask`] stand still on Linux and
//! macOS; a `CronTask` follows the system's clock everywhere.
//!
//! # Features
//!
//! `cron` adds `CronTask` and `CronSchedule`. Nothing is enabled by default.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

#[cfg(feature = "cron")]
mod cron_task;
mod loop_task;
mod periodic;
mod poll_task;
mod run;

mod attempt;
mod failure;
mod pace;
mod tally;
mod throttle;

mod clock;
mod schedule;

mod action;
mod blocking;
mod error;
mod first_run;
mod jitter;
mod missed_ticks;
mod on_failure;

pub use action::{Action, Stateful, StatefulFn, stateful};
pub use blocking::{Blocking, blocking};
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
#[cfg(feature = "cron")]
pub use schedule::CronSchedule;
pub use schedule::{Periodical, Schedule, Spaced};
#[doc(no_inline)]
pub use task_core::{Backoff, RunTimedOut};
