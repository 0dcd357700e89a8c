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
//!    setup, and whatever it blocks.
//! 2. **Setup.** It runs concurrently with the tasks that it starts. If it fails or panics, the
//!    group goes through its whole shutdown, cleanups included, and the exit code is
//!    [`ExitCodes::setup_failed`].
//! 3. **Wait.** The service waits until the group is stopped or all work is done. If no task below
//!    [`Phase::SUPPORT`](task_core::Phase::SUPPORT) was ever run, it waits for a signal, since the
//!    signal task is itself a support task.
//! 4. **Report.** It goes to stderr, or to the log alone: [`Service::report_to`]. With
//!    [`Service::termination_log`], a file gets its short form. The service waits for that for at
//!    most 1 s. At the same time the runtime is shut down: what is left on it is dropped, within
//!    the [drop timeout](Service::drop_timeout), 500 ms by default.
//! 5. **Exit.** [`Service::run`] returns the exit code. A signal that arrived during the last step
//!    acts now: by default it ends the process. See
//!    [`SignalTaskBuilder::after_end`](task_signal::SignalTaskBuilder::after_end), and
//!    [`CaptureGuard`](task_signal::CaptureGuard) for a `main` that has something left to do.
//!
//! # A stop during the setup
//!
//! The setup is a member of the group, [the first to be
//! stopped](task_manager::Manager::begin_setup): it is dropped at its next await, before any task
//! is stopped or any cleanup runs, and what it adds to the group until then is a part of the
//! shutdown. While the group drains, it goes on. How it ends decides what is reported:
//!
//! | the setup | report | log | exit code |
//! |---|---|---|---|
//! | returned `Ok(())` | clean | nothing | that of the shutdown |
//! | was dropped at an await | clean | info | that of the shutdown |
//! | returned an error | clean | a warning | that of the shutdown |
//! | panicked, or did so when it was dropped | the failure | an error, with `shutdown ended` | [`ExitCodes::failure`] |
//! | blocked for longer than the [stop timeout](Service::setup_stop_timeout), 2 s by default | the failure; it is named as `setup` | an error, with its name | [`ExitCodes::failure`] |
//!
//! So `?` is all that a setup needs on [`Manager::run`](task_manager::Manager::run) and
//! [`Manager::cleanup`](task_manager::Manager::cleanup):
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
//! | 3 | a failed setup began the shutdown; or the service failed to start: contradicting settings, no runtime, no signal handler, no thread | [`ExitCodes::setup_failed`] |
//! | 4 | the hard exit: the report was not made, or not taken, 1 s after the budget; or the setup blocks, 1 s after the report | [`ExitCodes::hard_exit`] |
//! | any | in place of 1 and 3, where the error of the first failure is of a certain type | [`Service::exit_code_for`] |
//! | any | in place of all above but 4, by the report | [`Service::exit_code_by_report`] |
//! | 128 + n | signal n came often enough to force the exit | `task_signal` |
//!
//! A supervisor that restarts a service should not do so where that cannot help, as after a bad
//! configuration: `.exit_code_for(|_: &BadConfig| 78)`, with `RestartPreventExitStatus=78` in a
//! unit of systemd, and for the settings of the service itself the types
//! [`BuildError`](task_manager::BuildError), [`SignalError`](task_signal::SignalError) and
//! [`PlatformError`]. Of the numbers that others give a meaning to, some are good choices and some
//! mislead:
//!
//! | codes | whose they are | to be chosen |
//! |---|---|---|
//! | 2 | wrong usage, of shells and of argument parsers | for bad arguments |
//! | 64 to 78 | `sysexits.h`: 64 usage, 69 unavailable, 70 software, 74 input and output, 75 try again, 77 no permission, 78 configuration; systemd shows their names | yes |
//! | 101 | Rust, for a panic that leaves `main` | no |
//! | 125 to 127 | Docker and shells: the command was not run | no |
//! | 128 + n | shells, for a process that signal n ended: 137 after a `SIGKILL`, 143 after a `SIGTERM` without a handler | no: systemd takes 143 for a failure |
//! | 200 to 245 | systemd, for what it failed to set up before the start | no |
//!
//! A critical task that ends cleanly without a stop request stops the service with exit code 0 and
//! a warning in the log, or with that of a failure under [`Service::unasked_end_fails`], for
//! `Restart=on-failure` of systemd.
//!
//! # Log
//!
//! [`tracing`] events under the target `task`, beside those of the manager, which has
//! [`unasked_end_warns`](task_manager::ManagerBuilder::unasked_end_warns) set. Messages and fields
//! are stable; later versions may add some. The two that say what was not written come after the
//! end of the group: [telemetry](task_manager::Manager::telemetry) is flushed by then, and does not
//! have them.
//!
//! | level | message | fields |
//! |---|---|---|
//! | `ERROR` | `service failed to start` | `error` |
//! | `INFO` | `setup cancelled by the shutdown` | |
//! | `WARN` | `setup failed during the shutdown` | `error` |
//! | `WARN` | `metrics of the shutdown not written`, with [`Service::shutdown_metrics`] | `file`, `error` |
//! | `WARN` | `message of the end not written`, with [`Service::termination_log`] | `file`, `error` |
//! | `INFO` | `shutdown fits the platform`, with [`Service::platform`] | `platform`, `chosen_by`, `grace`, `grace_from`, `before_signal`, `shutdown_timeout`, `shutdown_timeout_from`, `drain_delay`, `drain_delay_from`, `hard_exit`, `signals`, `termination_log`; times in seconds |
//! | `INFO` | `no platform recognised: the defaults hold`, with the `None` of [`Platform::detect`] | |
//!
//! # Limits
//!
//! - Under `panic = "abort"` the first panic ends the process, with no shutdown, no cleanup and no
//!   report. So do `SIGKILL`, a call of `std::process::exit`, and a panic in a `Drop` while another
//!   panic unwinds.
//! - A setup that blocks its thread, without an await, cannot be dropped. The shutdown goes on
//!   without it. If the setup does not return within 1 s after the report is made, the hard exit
//!   ends the process, names the setup and writes the report.
//! - The threads that the end of a service takes exist from its start. If the system refuses one
//!   of them, or the runtime its workers, the service fails to start, after at most 5 s, and says
//!   so on stderr. Without any thread that one line is written without a limit, and not to the log.
//! - What is left on a worker that is blocked is not dropped.
//! - Nothing bounds a setup that awaits for ever, unless the manager has a start timeout.
//!
//! # Platforms
//!
//! For Kubernetes, Cloud Run, Nomad, Fly.io, ECS, systemd and Docker there are presets: see
//! [`Platform`]. A container is killed after 5 to 30 s there, and the defaults take 26 s.
//!
//! With feature `kubernetes`, `Service::manifest` prints the manifest of a Deployment whose numbers
//! fit those of the service, and `Manifest::check` finds what is wrong with one of another hand.
//!
//! | what starts the service | how it stops it | what to set |
//! |---|---|---|
//! | systemd, a container on Linux | `SIGTERM`, and after its timeout `SIGKILL` | a [shutdown timeout](task_manager::ManagerBuilder::shutdown_timeout) below theirs |
//! | launchd (macOS) | `SIGTERM`, and `SIGKILL` after `ExitTimeOut`, 20 s by default | `ExitTimeOut` above the shutdown timeout, which is 25 s by default |
//! | a console of Windows | Ctrl-C, Ctrl-Break; a close, after which about 5 s are left | for a close, a shutdown timeout below 5 s |
//! | a program that wraps one as a Windows service | most send Ctrl-C, and end the process after a time that is set there | that time above the shutdown timeout |
//! | the service manager of Windows itself | a call, for which the program registers within 30 s of its start | see below |
//!
//! launchd wants a program that stays in the foreground, which this is. It needs no crate of its
//! own: with `KeepAlive` and `SuccessfulExit` set to false, a failure's exit code restarts the
//! service.
//!
//! A program that the service manager of Windows starts itself has no console and gets no Ctrl-C.
//! It registers by a crate for that purpose (`windows-service` is one), runs [`Service::run`] on a
//! thread, and stops the group by a [`ManagerHandle`](task_manager::ManagerHandle) that the setup
//! hands out, when the call comes. It says that it is stopped after `run` has returned, and gives a
//! wait hint above the shutdown timeout. Without a registration the system ends it soon, without a
//! stop: the service manager waits 30 s for the registration.
//!
//! Tried: Linux with glibc; musl, linked statically; arm64 in an emulator; under Wine Ctrl-C,
//! Ctrl-Break and the close of a console, and a program that its service manager starts: registered
//! as above it stops in order, with its cleanups and exit code 0, and not registered it is ended.
//! launchd is described from its documentation, and was not tried. See
//! [`task_signal`](task_signal#platforms) for what differs between signals and console events.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod service;

mod output;
mod runtime;
mod setup;

#[cfg(feature = "kubernetes")]
mod manifest;

mod exit_codes;
mod platform;
mod report_to;

pub use exit_codes::ExitCodes;
#[cfg(feature = "kubernetes")]
pub use manifest::{Manifest, ManifestError, ManifestFinding};
pub use platform::{Platform, PlatformError};
pub use report_to::ReportTo;
pub use service::{Service, main};
