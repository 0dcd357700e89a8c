//! The trait that every task implements.

use std::{any::type_name, borrow::Cow};

use crate::{Adjusted, BoxTask, Context, Phase};

/// A named unit of work that a manager runs once and stops when its group stops.
///
/// Implement [`run`](Self::run); the rest has defaults. A plain `async fn` does:
///
/// ```
/// # use task_core::{Context, Task};
/// struct Consumer { topic: String }
///
/// impl Task for Consumer {
///     async fn run(self, ctx: Context) -> anyhow::Result<()> {
///         ctx.cancelled().await;
///         println!("left {}", self.topic);
///         Ok(())
///     }
/// }
/// ```
///
/// The trait is not dyn-compatible, since `run` consumes the task; [`boxed`](Self::boxed) gives one type for a `Vec`
/// of different tasks.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a task",
    note = "implement `Task`, or wrap a closure: `task_fn(\"name\", async |ctx| {{ Ok(()) }})`"
)]
pub trait Task: Sized + Send + 'static {
    /// Names the task in logs, metrics and the report.
    ///
    /// It is asked once, before the task runs. Names may repeat within a group; where it matters, a
    /// number tells them apart (`job#7`). Keep it short, stable and free of identifiers of single requests: it becomes a metric label.
    /// Default: the type's name without its path and parameters.
    fn name(&self) -> Cow<'static, str> {
        Cow::Borrowed(short_type_name::<Self>())
    }

    /// Says when the task is stopped, relative to the others of its group. It is asked once. Default: [`Phase::WORK`].
    fn phase(&self) -> Phase {
        Phase::WORK
    }

    /// Says whether the group is not ready until this task calls [`Context::set_ready`]. If the task ends, the group is
    /// never ready again, unless it is one that may end (an ephemeral one, or where only failures stop the group) and
    /// has completed. It is asked once. Default: `false`.
    fn gates_readiness(&self) -> bool {
        false
    }

    /// Does the work, from start to end.
    ///
    /// The future is polled at least once, even if the group is stopped in the meantime (unless its runtime is gone, or
    /// does not get to it before it is given up). When
    /// [`ctx.cancelled()`](Context::cancelled) resolves, end soon: finish or undo what is in hand, and return.
    ///
    /// - `Ok(())` is a clean end, cancelled or not. For a critical task an unasked end still stops the group.
    /// - An error stops the group, unless it is [`Cancelled`](crate::Cancelled) and the context is cancelled.
    /// - A panic is caught; it counts as a failure at that instant.
    /// - At its deadline the future is dropped at the await where it stands. Whatever must happen then belongs into a
    ///   `Drop`, which must not block.
    ///
    /// Threads and tasks that the future starts are not part of it, unless they keep a
    /// [`Hold`](crate::Hold).
    ///
    /// # Errors
    ///
    /// Whatever made the work fail. The manager reports it with the task's name; the message need not repeat it.
    fn run(self, ctx: Context) -> impl Future<Output = anyhow::Result<()>> + Send;

    /// Gives the task another name.
    fn named(self, name: impl Into<Cow<'static, str>>) -> Adjusted<Self> {
        Adjusted::new(self).with_name(name.into())
    }

    /// Puts the task into another phase.
    fn in_phase(self, phase: Phase) -> Adjusted<Self> {
        Adjusted::new(self).with_phase(phase)
    }

    /// Makes the group's readiness wait for this task's [`Context::set_ready`]; see
    /// [`gates_readiness`](Self::gates_readiness).
    fn gating_readiness(self) -> Adjusted<Self> {
        Adjusted::new(self).with_gate()
    }

    /// Erases the type, so that different tasks fit into one collection.
    ///
    /// ```
    /// # use task_core::{BoxTask, Task, task_fn};
    /// let tasks: Vec<BoxTask> = vec![
    ///     task_fn("one", async |_| Ok(())).boxed(),
    ///     task_fn("two", async |ctx| { ctx.cancelled().await; Ok(()) }).boxed(),
    /// ];
    /// assert_eq!(tasks[1].name(), "two");
    /// ```
    fn boxed(self) -> BoxTask {
        BoxTask::new(self)
    }
}

/// The type's own name: `a::Poll<b::Job>` gives `Poll`.
fn short_type_name<T>() -> &'static str {
    let full = type_name::<T>();
    let head = full.split('<').next().unwrap_or(full);
    head.rsplit("::").next().filter(|name| !name.is_empty()).unwrap_or(full)
}
