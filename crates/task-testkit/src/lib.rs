//! Tests of tasks and services: that they end cleanly whenever they are stopped, at every await.
//!
//! | to | use |
//! |---|---|
//! | test a task in five lines | [`TestRun`]: runs one task without a manager, and records what it reports |
//! | find every await at which a task loses something | [`cancel_everywhere`], [`drop_everywhere`] |
//! | test a service in three lines | [`assert_stops_within`]: stops the whole setup whenever it is at rest |
//! | test a service with a database, a broker or sockets | [`stop_everywhere`], [in real time](ServiceEverywhere::in_real_time) |
//! | test a group with its shutdown | [`TestGroup`]: the real manager, with scripted stops and signals |
//! | assert what a report says, or keep it as a snapshot | [`ReportAssertions`] |
//! | test what happens to others when a task misbehaves | the tasks of [`chaos`] |
//! | test that the deadlines hold when the runtime is blocked | [`with_blocked_workers`] |
//! | find what is not released | [`Leaks`] |
//!
//! It is a dev-dependency. Nearly all of it runs on Tokio's paused clock, where an hour takes no
//! time; the traps of that clock, and the ways out of them, are listed at [`paused`].
//!
//! # A task in five lines
//!
//! ```
//! use std::time::Duration;
//! use task_core::{Context, Task, task_fn};
//! use task_testkit::{TestRun, paused};
//! use tokio::time::sleep;
//!
//! fn poller() -> impl Task {
//!     task_fn("poller", async |ctx: Context| {
//!         for round in 1.. {
//!             ctx.set_status(format!("round {round}"));
//!             ctx.or_cancelled(sleep(Duration::from_secs(3600))).await?;
//!         }
//!         Ok(())
//!     })
//! }
//!
//! # fn main() {
//! // #[test] fn polls_each_hour_until_it_is_stopped() {
//! paused(async {
//!     let run = TestRun::start(poller());
//!     run.until("polls a third time", |run| run.status().as_deref() == Some("round 3")).await;
//!     run.cancel();
//!     run.ended().await.assert_clean().assert_stopped_within(Duration::ZERO);
//! });
//! # }
//! ```
//!
//! # Every await that loses data
//!
//! A stop, and an abort at the deadline, may come at any await. [`cancel_everywhere`] runs the task
//! once for each of them, with a new world each time, stops it there, and looks at the world
//! afterwards. This consumer loses an order where its work is interrupted, at one point of four:
//!
//! ```
//! use std::sync::{Arc, Mutex};
//! use task_core::{Context, Task, task_fn};
//! use task_testkit::cancel_everywhere;
//! use tokio::task::yield_now;
//!
//! /// Orders that wait, and orders that are done.
//! type Orders = Arc<Mutex<(Vec<u32>, Vec<u32>)>>;
//!
//! fn consumer(orders: Orders) -> impl Task {
//!     task_fn("consumer", async move |ctx: Context| {
//!         loop {
//!             ctx.or_cancelled(yield_now()).await?; // an order arrives
//!             let Some(order) = orders.lock().unwrap().0.pop() else { return Ok(()) };
//!             ctx.or_cancelled(yield_now()).await?; // work: the order is in neither list
//!             orders.lock().unwrap().1.push(order);
//!         }
//!     })
//! }
//!
//! let sweep = cancel_everywhere(async || {
//!     let orders: Orders = Arc::new(Mutex::new((vec![1], vec![])));
//!     (orders.clone(), consumer(orders))
//! })
//! .run(async |orders| {
//!     let orders = orders.lock().unwrap();
//!     assert_eq!(orders.0.len() + orders.1.len(), 1, "orders");
//! });
//! assert_eq!(sweep.points(), 4);
//! assert_eq!(sweep.findings()[0].point, Some(2));
//! ```
//!
//! A test calls `check` in place of `run`, and fails with the points, their times, and the status
//! of the task at each. The correction is to await the work outside of `or_cancelled`, which a stop
//! does not interrupt.
//!
//! # A service in three lines
//!
//! Give the setup that `taskkit::main` runs a name, and a test stops the service whenever it is at
//! rest, from before the setup to the end of its first minute:
//!
//! ```
//! use std::time::Duration;
//! use task_manager::{Context, Manager, task_fn};
//!
//! async fn setup(manager: &Manager) -> anyhow::Result<()> {
//!     manager.cleanup("database", async || Ok(()))?;
//!     manager.run(task_fn("worker", async |ctx: Context| {
//!         ctx.cancelled().await;
//!         Ok(())
//!     }))?;
//!     Ok(())
//! }
//!
//! # fn main() {
//! // #[test] fn stops_cleanly_at_any_time() {
//! task_testkit::assert_stops_within(Duration::from_secs(5), setup);
//! # }
//! ```
//!
//! # Real time
//!
//! A test, a point of a sweep, and [`frozen`] have one minute of real time, or as many seconds as
//! the environment variable `TASK_TESTKIT_TIMEOUT` says: for a debugger, or a very slow machine. A
//! watchdog then writes what hangs to standard error and ends the process with code 101. Nothing
//! else depends on how fast the machine is, but for polls that
//! [block](Everywhere::blocks_for_at_most), which count only if they do so three times in a row.
//!
//! # Platforms
//!
//! The same on every system.
//!
//! # Limits
//!
//! - Sweeps find what happens at the awaits that a run passes. They try one order of the tasks of
//!   a runtime, not all; loom and shuttle do that for code that is built for them.
//! - A point has no place in the source: it is a number of polls, with the task's status and the
//!   time. A task that sets its status is easier to read there.
//! - On the paused clock, real sockets work as far as nothing waits for them with a time limit; see
//!   [`frozen`], and for a service [`in_real_time`](ServiceEverywhere::in_real_time).
//! - It needs panics that unwind. Under `panic = "abort"` the first check that fails ends the
//!   process.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

// What is stopped, and how: a service, a group, a task; whenever it is at rest, at each await, by a
// script, by a test.
mod blocked;
mod everywhere;
mod group;
mod run;
mod service;

// What they are run with, and what a test asserts of their ends.
pub mod chaos;
mod leaks;
mod report;
mod scope;
mod set_up;
mod signals;

// The task under test: what polls it, what it reports to, and what was seen of it.
mod driven;
mod recorder;
mod seen;

// Values, time and text.
mod clock;
mod ended;
mod event;
mod points;
mod redact;
mod sweep;
mod text;
mod watchdog;

pub use blocked::with_blocked_workers;
pub use everywhere::{Everywhere, cancel_everywhere, drop_everywhere};
pub use group::{RunningGroup, TestGroup};
pub use run::TestRun;
pub use service::{ServiceEverywhere, assert_stops_within, stop_everywhere};

pub use leaks::Leaks;
pub use report::ReportAssertions;
pub use scope::TestScope;
pub use signals::Signal;

pub use clock::{frozen, paused, until};
pub use ended::Ended;
pub use event::{Event, EventKind};
pub use redact::redact;
pub use sweep::{Finding, Sweep};
