//! Tasks that catch signals: [`SignalTask`] stops its group and makes it hurry, [`SignalTrigger`] runs an action.
//!
//! ```no_run
//! use task_manager::Manager;
//! use task_signal::{SignalTask, SignalTrigger};
//!
//! # async fn load_configuration() -> anyhow::Result<()> { Ok(()) }
//! # async fn serve(ctx: task_core::Context) -> anyhow::Result<()> { Ok(()) }
//! #[tokio::main]
//! async fn main() -> anyhow::Result<()> {
//!     let manager = Manager::new();
//!     manager.run(SignalTask::new()?)?; // SIGINT, SIGTERM, SIGQUIT
//!     manager.run(SignalTrigger::new("configuration", |_ctx| load_configuration())?)?; // SIGHUP
//!     manager.run(task_core::task_fn("serve", serve))?;
//!     manager.wait().await?;
//!     Ok(())
//! }
//! ```
//!
//! # The ladder
//!
//! | | `SIGINT` | `SIGTERM`, `SIGQUIT` |
//! |---|---|---|
//! | first | the group is asked to stop; the report's cause is `signal SIGINT`, with feature `sender` also `from pid 123` | the same |
//! | second | drain and grace end now: tasks are aborted, cleanups run on their short budget | a line in the log |
//! | third | the process ends at once with the exit code 130, after one line on stderr | a line in the log |
//!
//! Each signal counts for itself, and [each step can be changed](SignalTaskBuilder::ladder). Repeats of one signal
//! [within 250 ms](SignalTaskBuilder::repeat_window) of the last one that counted count as one with it.
//!
//! # When it works
//!
//! - *From the constructor on.* It needs no runtime. What comes before the task runs is delivered when it does, and
//!   the third `SIGINT` ends a program that is still setting up.
//! - *While the runtime is blocked*, all of its workers included. Two threads of their own take turns at the signals:
//!   one reads and counts and can end the process, the other one delivers to the group, then writes the log and runs the
//!   callback and the dump. Should it get stuck there, a new one takes its place.
//! - *Until the report is made.* That is later than the end of the task, which is stopped before the cleanups run.
//!   Then each signal has its default action again, which for those above ends the process; at once, if a task was
//!   dropped without having run. A signal that is read before the news of the report has come, but after the report,
//!   acts by default as well: none is swallowed. (One for a trigger then still counts as of the shutdown, in which it
//!   has no effect.)
//!
//! The first process of a pid namespace, which a container's often is, is shielded by Linux from its own default
//! actions. There the default action that comes back is an exit with 128 + the signal's number.
//!
//! # With others
//!
//! - Any number of tasks and triggers may capture the same signal; each gets it, and the last one gives it back.
//! - Other users of signal-hook, `tokio::signal` among them, get their signals beside these tasks. A signal that
//!   somebody else had a handler for before the first of these tasks captured it stays with that handler afterwards
//!   (on Linux, where the system tells).
//! - A signal that the process was started ignoring, under `nohup` or in the background of a script, stays ignored
//!   unless [asked otherwise](SignalTaskBuilder::ignored) (on Linux).
//!
//! # The log
//!
//! By [`tracing`], under the target `task_signal`. A line about a signal has the fields `signal`, `sender_pid` (where
//! known), `count` and `reaction`; a trigger's lines have `signal` and `run`, its failures `action`, `run` and
//! `error`. The [dump](SignalTaskBuilder::dump_on) is one line about the group and one per task, of the first 1,000, with
//! these fields:
//!
//! | of | fields |
//! |---|---|
//! | the group | `signal`, `sender_pid`, `group`, `step`, `in_step_ms`, `remaining_ms`, `cause`, `ready`, `tasks`, `started` |
//! | a task | `task`, `id`, `phase`, `state`, `in_state_ms`, `uptime_ms`, `ephemeral`, `gates_readiness`, `ready`, `restarts`, `failures`, `status` |
//!
//! # Features
//!
//! `sender`: the pid of a signal's sender, in the log, the status and the cause. On Unix, building then takes a C
//! compiler: signal-hook reads the pid with a few lines of C. Nothing is on by default.
//!
//! # Limitations
//!
//! - A default action that has come back is played by the handler, which stays installed: the system's own tables
//!   still say that the signal is caught. The effect is the same, core dumps included, but for real-time signals and
//!   those few that signal-hook has no default for (`SIGPWR`, `SIGSTKFLT`): they exit with 128 + number.
//! - Who captures a signal *after* one of these tasks did cannot be told from no one: it gets the signal while the
//!   task lives, and afterwards the default action comes first. [`AfterEnd::Nothing`] is for such programs.
//! - A signal that every thread of the process blocks never arrives. A handler that is installed past signal-hook
//!   after a task was made, and does not call the one before it, takes the signal away.
//! - A signal is counted when its thread gets to run. Several that come while it does not (the process suspended, the
//!   machine overloaded) count as one.
//! - Threads do not survive a `fork`: make these tasks after becoming a daemon, not before.
//! - The exit at the end of a ladder runs nothing: no cleanups, no destructors, no `atexit`. That is its purpose.
//! - The sender's pid (feature `sender`) is what the sender's kernel says: it may belong to a process that is gone, it is
//!   absent for what comes from a terminal or from outside the pid namespace, such as from a container's runtime.
//! - Tested on Linux. Other Unix systems have no `/proc` to tell what was inherited, and are not tested.
//! - On Windows, `SIGINT` stands for Ctrl-C and Ctrl-Break, and `SIGTERM` for the console's close, the log-off and the
//!   shutdown, after which the system allows about 5 s; `SIGQUIT` is accepted and never comes; others are an error.
//!   `after_end` and `ignored` have no effect. That code has been type checked, and has never run.
//! - A [`SignalTrigger`] needs a tokio runtime with an I/O driver to run on; a [`SignalTask`] needs none.

mod signal;

mod after_end;
mod error;
mod ignored_signals;
mod ladder;
mod log_level;
mod on_failure;
mod received;

mod builder;
mod task;

mod action;
mod trigger;
mod trigger_builder;

mod crew;
mod dump;
mod lease;
mod leave;
mod log;
mod platform;
mod recipient;
mod teller;
mod watch;

pub use after_end::AfterEnd;
pub use builder::SignalTaskBuilder;
pub use error::SignalError;
pub use ignored_signals::IgnoredSignals;
pub use ladder::Reaction;
pub use log_level::LogLevel;
pub use on_failure::OnFailure;
pub use received::Received;
pub use signal::Signal;
pub use task::SignalTask;
pub use trigger::SignalTrigger;
pub use trigger_builder::SignalTriggerBuilder;

/// The example of the README, as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
