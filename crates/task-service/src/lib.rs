//! The entry point of a service: [`main`] owns the runtime, handles signals, runs the setup, waits
//! for the end of all tasks, writes the report and returns the exit code.
//!
//! ```no_run
//! use std::process::ExitCode;
//! use task_manager::task_fn;
//!
//! fn main() -> ExitCode {
//!     task_service::main(async |manager| {
//!         manager.cleanup("database", async || Ok(()))?;
//!         manager.run(task_fn("consumer", async |ctx| {
//!             ctx.cancelled().await;
//!             Ok(())
//!         }))?;
//!         Ok(())
//!     })
//! }
//! ```
//!
//! [`Service`] does the same with settings. A program that has its own `main`, runtime or signal
//! handling uses [`Manager`](task_manager::Manager) directly.
//!
//! # What happens, in order
//!
//! 1. **Signals.** From here on `SIGINT`, `SIGTERM` and `SIGQUIT` stop the group, also during the
//!    setup.
//! 2. **Setup.** It runs concurrently with the tasks that it starts. If it fails or panics, the
//!    group goes through its whole shutdown, cleanups included, and the exit code is
//!    [`ExitCodes::setup_failed`].
//! 3. **Wait.** The service waits until the group is stopped or all work is done. If no task below
//!    [`Phase::SUPPORT`](task_core::Phase::SUPPORT) was ever run, it waits for a signal, since the
//!    signal task is itself a support task.
//! 4. **Report.** It goes to stderr, or where [`Service::report_to`] says. The service waits for
//!    that for at most 1 s.
//! 5. **Exit.** [`Service::run`] returns the exit code. The runtime is shut down in the background,
//!    since dropping it would wait for every blocked worker.
//!
//! # A stop during the setup
//!
//! While the group drains, the setup goes on. Once tasks are being stopped, the setup is dropped at
//! its next await; a setup that does not await ends at its first task or cleanup that is refused.
//! How it ends then decides what is logged, and never changes the exit code, except for a panic:
//!
//! | the setup | log | exit code |
//! |---|---|---|
//! | returned `Ok(())` | nothing | that of the shutdown |
//! | was dropped at an await | info | that of the shutdown |
//! | returned an error with a [`Refused`](task_manager::Refused) that [came too late](task_manager::RefusedReason::is_too_late) in its chain | info | that of the shutdown |
//! | returned another error | a warning | that of the shutdown |
//! | panicked before the report was made | the failure | [`ExitCodes::failure`] |
//!
//! So `?` is all that a setup needs on [`Manager::run`](task_manager::Manager::run) and
//! [`Manager::cleanup`](task_manager::Manager::cleanup), also with `anyhow`'s `context`:
//!
//! ```
//! use anyhow::Context as _;
//! use task_manager::{Manager, Task, task_fn};
//!
//! async fn setup(manager: &Manager) -> anyhow::Result<()> {
//!     let consumer = task_fn("consumer", async |ctx| {
//!         ctx.cancelled().await;
//!         Ok(())
//!     });
//!     manager.run(consumer).context("failed to start the consumer")?;
//!     Ok(())
//! }
//! ```
//!
//! # Exit codes
//!
//! | code | when | set by |
//! |---|---|---|
//! | 0 | nothing went wrong, also after a signal | |
//! | 1 | something failed | [`ExitCodes::failure`] |
//! | 3 | a failed setup began the shutdown; or the service failed to start: contradicting settings, no runtime, no signal handler | [`ExitCodes::setup_failed`] |
//! | 4 | the hard exit: the report was not made, or not taken, 1 s after the budget | [`ExitCodes::hard_exit`] |
//! | 128 + n | signal n came often enough to force the exit | `task_signal` |
//!
//! A critical task that ends cleanly without a stop request stops the service with exit code 0 and
//! a warning in the log, or with that of a failure under [`Service::unasked_end_fails`], for
//! `Restart=on-failure` of systemd.
//!
//! # Log
//!
//! [`tracing`] events under the target `task`, beside those of the manager. Messages and fields are
//! stable; later versions may add some.
//!
//! | level | message | fields |
//! |---|---|---|
//! | `ERROR` | `service failed to start` | `error` |
//! | `INFO` | `setup cancelled by the shutdown` | |
//! | `WARN` | `setup failed during the shutdown` | `error` |
//! | `WARN` | `service ended without a stop request`, cleanly | `cause` |
//! | `INFO` if clean, else `ERROR` | `service ended`, with [`ReportTo::Log`] | `manager`, `cause`; `took`, `drain`, `stop`, `cleanup` in seconds; `tasks`, the number of all; `failures`, their number; `root`, the first; `report`, the text |
//!
//! # Limits
//!
//! - Under `panic = "abort"` the first panic ends the process, with no shutdown, no cleanup and no
//!   report. So do `SIGKILL`, a call of `std::process::exit`, and a panic in a `Drop` while another
//!   panic unwinds.
//! - A setup that blocks its thread, without an await, cannot be dropped. The hard exit then ends
//!   the process, after a stop.
//! - Nothing bounds a setup that awaits for ever, unless the manager has a start timeout.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod service;

mod setup;

mod exit_codes;
mod output;

pub use exit_codes::ExitCodes;
pub use service::{ReportTo, Service, main};
