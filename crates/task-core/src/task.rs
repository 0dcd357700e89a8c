//! The trait that every task implements.

use std::{any::type_name, borrow::Cow};

use crate::{Adjusted, BoxTask, Context, Phase, Timeout};

/// A named unit of work, which a manager runs once and stops when its group stops.
///
/// Only [`run`](Self::run) is required. The other methods have defaults, and are each called once,
/// by the manager, when the task is admitted.
///
/// The trait is not dyn-compatible, since `run` consumes the task. [`boxed`](Self::boxed) converts
/// tasks of different types to one type.
///
/// # Examples
///
/// A type whose constructor acquires what the task needs, and fails where it cannot:
///
/// ```
/// use std::{borrow::Cow, io, net::UdpSocket};
/// use task_core::{Context, Phase, Task};
///
/// struct Echo {
///     socket: UdpSocket,
/// }
///
/// impl Echo {
///     fn bind(address: &str) -> io::Result<Self> {
///         Ok(Self { socket: UdpSocket::bind(address)? })
///     }
/// }
///
/// impl Task for Echo {
///     fn name(&self) -> Cow<'static, str> {
///         "echo".into()
///     }
///
///     fn phase(&self) -> Phase {
///         Phase::INGRESS
///     }
///
///     async fn run(self, ctx: Context) -> anyhow::Result<()> {
///         ctx.set_status(format!("listening on {}", self.socket.local_addr()?));
///         ctx.cancelled().await;
///         Ok(())
///     }
/// }
///
/// # fn main() -> io::Result<()> {
/// let echo = Echo::bind("127.0.0.1:0")?.named("echo-local");
/// assert_eq!((echo.name(), echo.phase()), ("echo-local".into(), Phase::INGRESS));
/// # Ok(())
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a task",
    note = "implement `Task`, or wrap a closure: `task_fn(\"name\", async |ctx| {{ Ok(()) }})`"
)]
pub trait Task: Sized + Send + 'static {
    /// Returns the task's name in logs, metrics and the report. Default: the name of the type,
    /// without path and type parameters.
    ///
    /// Names may repeat within a group; where it matters, a number is added (`job#7`). A name
    /// becomes a metric label, so it should be short and stable, and not contain the identifier of
    /// a single request.
    fn name(&self) -> Cow<'static, str> {
        Cow::Borrowed(short_type_name::<Self>())
    }

    /// Returns the phase in which the task is stopped, relative to the other tasks of its group.
    /// Default: [`Phase::WORK`].
    fn phase(&self) -> Phase {
        Phase::WORK
    }

    /// Returns whether the group's readiness waits for this task's [`Context::set_ready`]. Default:
    /// `false`.
    ///
    /// If such a task ends, the group is never ready again. The exception is a task that may end
    /// (an ephemeral task, or any task where only failures stop the group) and has completed.
    fn gates_readiness(&self) -> bool {
        false
    }

    /// Returns the longest time that the task gets to end by itself once it is asked to stop. At
    /// the end of it the task is aborted, also where its phase has more time left. Default:
    /// [`Timeout::Never`], which is all the time that its phase has.
    fn stop_timeout(&self) -> Timeout {
        Timeout::Never
    }

    /// Starts what must act before the future is first polled, such as the delivery of signals: a
    /// runtime whose threads are all blocked polls nothing. Default: does nothing.
    ///
    /// The manager calls it once the task is admitted, before it spawns the future, on the thread
    /// that runs the task. It must not block. A panic is the task's panic.
    ///
    /// A task that was started here may fail the group before its future is polled. So a wrapper
    /// that handles the end of the task that it wraps, to run it again for instance, does not pass
    /// this call on.
    fn admitted(&mut self, _ctx: &Context) {}

    /// Does the work, from start to end.
    ///
    /// When [`ctx.cancelled()`](Context::cancelled) resolves, the task should end soon: finish or
    /// undo the work in progress, and return.
    ///
    /// - `Ok(())` is a clean end, cancelled or not. The end of a critical task stops the group even
    ///   if it is clean.
    /// - An error stops the group, unless it is [`Cancelled`](crate::Cancelled) and the context is
    ///   cancelled.
    /// - A panic is caught and counts as a failure at that instant.
    /// - At the task's deadline the future is dropped at its current await. What must happen even
    ///   then belongs into a `Drop`, which must not block.
    ///
    /// The future is polled at least once, even if the group is stopped right after the task was
    /// admitted. This is not guaranteed if its runtime is shut down, or does not poll it before the
    /// manager abandons it.
    ///
    /// Threads and tasks that the future starts are not part of the task, unless they keep a
    /// [`Hold`](crate::Hold).
    ///
    /// # Errors
    ///
    /// Any error that made the work fail. The manager reports it with the task's name, so the
    /// message need not repeat it.
    ///
    /// # Cancel safety
    ///
    /// The future must tolerate being dropped at any await: that is how an abort ends it.
    fn run(self, ctx: Context) -> impl Future<Output = anyhow::Result<()>> + Send;

    /// Replaces the task's name.
    ///
    /// # Examples
    ///
    /// ```
    /// use task_core::{Task, task_fn};
    ///
    /// let names = ["north", "south"].map(|region| {
    ///     task_fn("consumer", async |_| Ok(())).named(format!("consumer-{region}")).name()
    /// });
    /// assert_eq!(names, ["consumer-north", "consumer-south"]);
    /// ```
    fn named(self, name: impl Into<Cow<'static, str>>) -> Adjusted<Self> {
        Adjusted::new(self).with_name(name.into())
    }

    /// Replaces the task's phase.
    fn in_phase(self, phase: Phase) -> Adjusted<Self> {
        Adjusted::new(self).with_phase(phase)
    }

    /// Makes the group's readiness wait for this task's [`Context::set_ready`]; see
    /// [`gates_readiness`](Self::gates_readiness).
    fn gating_readiness(self) -> Adjusted<Self> {
        Adjusted::new(self).with_gate()
    }

    /// Limits the time that the task gets to end by itself; see
    /// [`stop_timeout`](Self::stop_timeout).
    fn stopping_within(self, limit: impl Into<Timeout>) -> Adjusted<Self> {
        Adjusted::new(self).with_stop_timeout(limit.into())
    }

    /// Erases the task's type, so that tasks of different types fit into one collection.
    ///
    /// It costs one allocation here and one for the future. A box of a box is not made.
    ///
    /// # Examples
    ///
    /// ```
    /// use task_core::{BoxTask, Task, task_fn};
    ///
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

/// Returns the type's name without path and parameters: `Poll` of `a::Poll<b::Job>`.
fn short_type_name<T>() -> &'static str {
    let full = type_name::<T>();
    let head = full.split('<').next().unwrap_or(full);
    // Empty for a type that has no path, such as `<A as B>::C`.
    head.rsplit("::").next().filter(|name| !name.is_empty()).unwrap_or(full)
}
