//! The guard that a program holds while it has no group.

use super::custody;

/// Keeps signals captured after the end of their group, for as long as a guard lives.
///
/// Without a guard, the signals of a task are released at the end of its group, before the program
/// writes its report or flushes what it has to. A guard covers that time, and the time between two
/// groups of one process. It covers every task of this crate in the process, made before it or
/// after it. There may be any number of guards; they cost nothing, and make no thread.
///
/// | when a signal arrives | what happens |
/// |---|---|
/// | before the end of the group | the task serves it: its ladder, or its actions |
/// | later, within the [repeat window](crate::SignalTaskBuilder::repeat_window) of one of its kind that counted for the group (at most 1 s without a guard) | nothing: it is a repeat |
/// | later, while a guard lives | it waits: the next task that captures it gets it, as its first. If the last guard is dropped before that, it acts then, as [`AfterEnd`](crate::AfterEnd) says. A step [`Exit`](crate::Reaction::Exit) of its ladder is taken at once |
/// | later, without a guard | it acts at once, as [`AfterEnd`](crate::AfterEnd) says: by default, most signals end the process |
///
/// So a second Ctrl-C while the guard lives does not end the process before the guard is dropped,
/// and a third one does. Of each kind one signal waits. What waits for a
/// [`SignalTrigger`](crate::SignalTrigger) has no effect if no next task comes, as during the
/// shutdown.
///
/// Hold it over what is bounded: a program that hangs while it holds a guard is ended by three
/// interrupts, and not by one `SIGTERM`.
///
/// # Examples
///
/// A program that starts its group anew at `SIGHUP`:
///
/// ```no_run
/// use task_manager::Manager;
/// use task_signal::{CaptureGuard, Signal, SignalTask};
///
/// #[tokio::main]
/// async fn main() -> anyhow::Result<()> {
///     let _guard = CaptureGuard::new();
///     loop {
///         let manager = Manager::new();
///         manager.run(SignalTask::builder().signals([Signal::TERM, Signal::HUP]).build()?)?;
///         // … and the work …
///         let report = manager.wait().await?;
///         if !report.cause().to_string().contains("SIGHUP") {
///             println!("{report}");
///             return Ok(());
///         }
///     }
/// }
/// ```
#[derive(Debug)]
#[must_use = "it keeps signals captured only as long as it lives"]
pub struct CaptureGuard(());

impl CaptureGuard {
    /// Makes a guard.
    pub fn new() -> Self {
        custody::add_guard();
        Self(())
    }
}

impl Default for CaptureGuard {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for CaptureGuard {
    fn drop(&mut self) {
        custody::remove_guard();
    }
}
