//! The entry point of a service: [`main`] owns the runtime, catches signals, sets the service up, waits for its end,
//! tells the report, and returns the exit code.
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
//! # What happens, in order
//!
//! 1. Signals are captured: `SIGINT`, `SIGTERM` and `SIGQUIT` from here on stop the group, also during the setup.
//! 2. The setup runs. If it fails or panics, the group goes through its whole shutdown, cleanups included, and the
//!    exit code is that of a failed setup. If the group is stopped while it runs, it goes on through the drain and is
//!    then dropped at its next await; should it fail by then, as it does when its tasks are refused, that is a warning in
//!    the log and no failure. (A panic is one, unless the report was made already.)
//! 3. The group is waited for: until it is stopped, or all work is done. If no task was ever run below
//!    [`Phase::SUPPORT`](task_core::Phase::SUPPORT), which is that of the signal task, that is until a signal.
//! 4. The report goes to stderr, or wherever [`Service::report_to`] says.
//! 5. The process returns the exit code, with the runtime shut down in the background: dropping it would wait for
//!    every blocked worker.
//!
//! # Exit codes
//!
//! | code | when | set by |
//! |---|---|---|
//! | 0 | nothing went wrong, also after a signal | |
//! | 1 | something failed | [`ExitCodes::failure`] |
//! | 3 | a failed setup began the shutdown; or settings contradict each other, or there was no runtime or no signal to be had | [`ExitCodes::setup_failed`] |
//! | 4 | the hard exit: the report could not be made or taken 1 s after the budget | [`ExitCodes::hard_exit`] |
//! | 128 + n | signal n came often enough to force the end | `task_signal` |
//!
//! A critical task that ends cleanly and unasked stops the service with a warning in the log and 0, or with the code
//! of a failure if [`Service::unasked_end_fails`] says so, for `Restart=on-failure` of systemd.
//!
//! # The log
//!
//! By [`tracing`], under the target `task`, beside what the manager logs:
//!
//! | level | message | fields |
//! |---|---|---|
//! | `ERROR` | `service could not begin` | `error` |
//! | `INFO` | `setup given up, as the service is being stopped` | |
//! | `WARN` | `setup failed when the service was being stopped` | `error` |
//! | `WARN` | `service ended though nobody had asked it to` | `cause` |
//! | `INFO` | `service ended`, with [`ReportTo::Log`] | `report` |
//!
//! # Limits
//!
//! Under `panic = "abort"` the first panic ends the process, with no shutdown, no cleanup and no report. The same goes
//! for `SIGKILL`, a call of `std::process::exit`, and a panic in a `Drop` while another panic unwinds.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod exit;
mod last_words;
mod service;
mod setup;

pub use exit::ExitCodes;
pub use service::{ReportTo, Service, main};
