//! Tasks that catch signals: [`SignalTask`] stops its group and escalates, [`SignalTrigger`] runs
//! actions.
//!
//! ```no_run
//! use task_core::{Context, task_fn};
//! use task_manager::Manager;
//! use task_signal::{SignalTask, SignalTrigger};
//!
//! # async fn load_configuration() -> anyhow::Result<()> { Ok(()) }
//! # async fn serve(ctx: Context) -> anyhow::Result<()> { Ok(()) }
//! #[tokio::main]
//! async fn main() -> anyhow::Result<()> {
//!     let manager = Manager::new();
//!     manager.run(SignalTask::new()?)?; // SIGINT, SIGTERM, SIGQUIT
//!     let reload = SignalTrigger::new("configuration", |_ctx| load_configuration())?; // SIGHUP
//!     manager.run(reload)?;
//!     manager.run(task_fn("serve", serve))?;
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
//! | second | drain and grace period end now: tasks are aborted, cleanups run within their escalated timeout | a line in the log |
//! | third | the process ends at once with the exit code 130, after one line on standard error, which names up to 20 tasks and cleanups that are alive | a line in the log |
//!
//! Each signal is counted separately, and [each step can be changed](SignalTaskBuilder::ladder).
//! Repeats of a signal [within 250 ms](SignalTaskBuilder::repeat_window) of the last one that
//! counted do not count.
//!
//! # When signals are served
//!
//! - *From the constructor on.* It needs no runtime. A signal that arrives before the task has a
//!   group is delivered when it does, and the third `SIGINT` ends a program that is still in its
//!   setup.
//! - *From the admission on* a [`SignalTask`] stops its group, though every thread of the runtime
//!   is blocked and none ever polls it.
//! - *While the runtime is blocked*, with all of its workers. A [`SignalTask`] has three threads:
//!   one reads and counts signals and can end the process; one delivers them to the group, and is
//!   replaced if a delivery blocks; one writes the log and runs the callback and the dump. The
//!   second and the third `SIGINT` work while the log, the callback or standard error blocks. All
//!   are there before the first signal is captured: the exit needs no further one.
//! - *Until the group has ended*, which is when its report is made. That is later than the end of
//!   the task, which is stopped before the cleanups run.
//!
//! What happens afterwards, while the program writes its report or makes another group:
//!
//! | a signal arrives | what happens |
//! |---|---|
//! | before the end of the group | the task serves it |
//! | later, within the repeat window of one of its kind that counted | nothing: it is a repeat, as shells and wrappers send them |
//! | later, while a [`CaptureGuard`] lives | it waits for the next task that captures it, or for the end of the guard |
//! | later, without a guard | its default action, which for those above ends the process, unless [`AfterEnd::Nothing`] is set |
//!
//! The last row also holds at once if a task is dropped without having run. No other signal is
//! swallowed: one that arrives before the end and is read after it acts by default as well. One for
//! a trigger then still counts as part of the shutdown, in which it has no effect.
//!
//! A program that flushes something after its report chooses what a second Ctrl-C does meanwhile:
//! by default it ends the process; with [`AfterEnd::Nothing`] it does nothing; under a guard it
//! acts once the guard is dropped.
//!
//! The first process of a pid namespace, as in most containers, is shielded by Linux from its own
//! default actions. There the default action is an exit with 128 + the signal's number.
//!
//! | what acts | on which thread | with every worker blocked |
//! |---|---|---|
//! | stop, escalation | that of the task that delivers | at once |
//! | exit | that of the task that reads | at once |
//! | log, callback, dump | that of the task that logs | at once |
//! | an action of a [`SignalTrigger`] | its future, on the runtime | when a worker is free again; several signals then share one run |
//!
//! # Other users of signals
//!
//! - Any number of tasks and triggers may capture the same signal. Each of them gets it, and the
//!   last one releases it.
//! - Other users of signal-hook, such as `tokio::signal`, get their signals beside these tasks. If
//!   a library had installed a handler before the first of these tasks captured the signal, that
//!   handler alone has the signal afterwards (on Linux, where the system provides this).
//! - A signal that the process was started ignoring, by `nohup` or in the background of a script,
//!   stays ignored unless [set otherwise](SignalTaskBuilder::ignored) (on Linux). For `SIGTERM` that
//!   is a warning, since nothing stops at it then.
//! - A signal that the process was started blocking, and that the thread which makes the task
//!   blocks therefore, is unblocked in a thread of its own for as long as it is captured, with a
//!   warning. One that is not captured stays blocked, and so do all in child processes.
//!
//! # The log
//!
//! Lines are written by [`tracing`], with the target `task_signal`. A line about a signal has the
//! fields `signal`, `sender_pid` (if known), `count` and `reaction`. It may come after the first
//! line about its shutdown, and is there when the [`SignalTask`] ends, and so before the last one,
//! unless the log takes more than 100 ms. The lines of a trigger have `signal` and `run`, and those
//! of its failures `action`, `run` and `error`. The
//! [dump](SignalTaskBuilder::dump_on) is one line about the group and one per task, for the first
//! 1,000, with these fields:
//!
//! | of | fields |
//! |---|---|
//! | the group | `signal`, `sender_pid`, `group`, `step`, `in_step_ms`, `remaining_ms`, `cause`, `ready`, `tasks`, `started` |
//! | a task | `task`, `id`, `phase`, `state`, `in_state_ms`, `uptime_ms`, `ephemeral`, `gates_readiness`, `ready`, `restarts`, `failures`, `status` |
//!
//! # Platforms
//!
//! | what | Linux | macOS, FreeBSD | Windows |
//! |---|---|---|---|
//! | `SIGINT` | the signal | the signal | Ctrl-C and Ctrl-Break |
//! | `SIGTERM` | the signal | the signal | the console is closed, the user logs off, the system shuts down |
//! | `SIGQUIT` | the signal | the signal | accepted, and never arrives |
//! | other signals | all that can be captured; real-time signals | those that the system has; none in real time | an error of the constructor, so `SignalTrigger::new`, which takes `SIGHUP`, fails |
//! | time for the stop | as the manager sets it | the same | after a close about 5 s, then the system ends the process |
//! | inherited "ignore" ([`IgnoredSignals`]) | kept or taken, as set | not read: always taken | there is none |
//! | inherited block | undone | undone | there is none |
//! | default action after the group ([`AfterEnd`]) | performed | performed | performed for an event that arrives later than a repeat could; one that arrives before has no effect, whatever its kind |
//! | pid of the sender, with `sender` | yes | as far as the system records it | never |
//! | last line before the exit of a ladder | written if standard error takes it | the same | left out |
//! | tests | all, also on musl | type checks | the console's events, under Wine |
//!
//! Wine delivers Ctrl-C to the console. It has no call for the other events: the tests start their
//! routine in the process, as Windows does. Log-off and shutdown are served like the close, and
//! were not tried.
//!
//! # Features
//!
//! `sender`: the pid of a signal's sender, in the log, the status and the cause. On Unix, building
//! then needs a C compiler, because signal-hook reads the pid with a few lines of C. No feature is
//! on by default.
//!
//! # Limitations
//!
//! - A restored default action is performed by the handler, which stays installed: the system's
//!   tables still list the signal as caught. The effect is the same, core dumps included, except
//!   for real-time signals and those few that signal-hook has no default action for (`SIGPWR`,
//!   `SIGSTKFLT`): they exit with 128 + number.
//! - A library that captures a signal *after* one of these tasks did cannot be recognized. It gets
//!   the signal while the task lives, and afterwards the default action comes first.
//!   [`AfterEnd::Nothing`] is for such programs.
//! - A signal that every thread of the process blocks is found when the task is made. One that is
//!   blocked later never arrives, nor does a real-time signal that is blocked. A handler that is
//!   installed by other means than signal-hook after a task was made, and does not call the
//!   previous one, takes the signal away.
//! - A signal is counted when its thread runs. Several that arrive while it does not run (the
//!   process is suspended, the machine is overloaded) count as one.
//! - Different signals that arrive within less than a millisecond may reach the group in either
//!   order while a delivery is blocked, for example by a manager whose log blocks.
//! - In the instant in which one task takes signals over from another under a guard, one may be
//!   delivered twice, which the repeat window absorbs unless it is zero, and then seems to be from
//!   this process.
//! - Threads do not survive a `fork`: make these tasks after the process has become a daemon.
//! - The exit at the end of a ladder runs nothing: no cleanups, no destructors, no `atexit`
//!   functions. That is its purpose.
//! - The sender's pid (feature `sender`) is provided by the sender's kernel. It may belong to a
//!   process that has exited. It is missing for signals from a terminal and from outside the pid
//!   namespace, such as from the runtime of a container.
//! - On Unix, a [`SignalTrigger`] needs a Tokio runtime with an I/O driver to run on; a
//!   [`SignalTask`] does not.

mod api;

mod threads;

mod capture;

mod log;

mod platform;

mod values;

mod panics;

pub use api::{SignalTask, SignalTaskBuilder, SignalTrigger, SignalTriggerBuilder};
pub use capture::CaptureGuard;
pub use values::{
    AfterEnd, IgnoredSignals, LogLevel, OnActionError, Reaction, Received, Signal, SignalError,
};

/// Compiles the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
