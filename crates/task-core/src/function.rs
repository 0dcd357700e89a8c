//! A task made of a name and a closure.

use std::{borrow::Cow, fmt};

use crate::{Context, Task};

/// Creates a task from a closure that takes the [`Context`] and returns a future.
///
/// The closure is called once, when the task runs. It may be an async closure or a plain closure
/// that calls an `async fn`; the type of its argument is inferred. The task is in [`Phase::WORK`]
/// and does not gate readiness; [`Task::in_phase`] and [`Task::gating_readiness`] change that.
///
/// # Errors of other types
///
/// The function returns [`anyhow::Result`]. One that returns another error does not compile here:
///
/// ```compile_fail,E0277
/// # use task_core::{Context, task_fn};
/// # async fn consume(_: Context) -> Result<(), std::io::Error> { Ok(()) }
/// let task = task_fn("consumer", consume);
/// ```
///
/// A closure around it converts the error. For one that does not implement
/// [`Error`](std::error::Error), see [`any_error`](crate::any_error).
///
/// ```
/// # use task_core::{Context, task_fn};
/// # async fn consume(_: Context) -> Result<(), std::io::Error> { Ok(()) }
/// let task = task_fn("consumer", async |ctx| Ok(consume(ctx).await?));
/// ```
///
/// # Futures that are not `Send`
///
/// The future, and so all that it keeps across an await, must be `Send`. For others there is
/// [`blocking_task`](crate::blocking_task).
///
/// [`Phase::WORK`]: crate::Phase::WORK
///
/// # Examples
///
/// ```
/// use task_core::{Context, Task, task_fn};
///
/// async fn consume(ctx: Context, topic: String) -> anyhow::Result<()> {
///     ctx.cancelled().await;
///     println!("stopped consuming {topic}");
///     Ok(())
/// }
///
/// let topic = String::from("orders");
/// let plain = task_fn("plain", { let topic = topic.clone(); |ctx| consume(ctx, topic) });
/// let inline = task_fn("async", async move |ctx| {
///     ctx.cancelled().await;
///     println!("stopped consuming {topic}");
///     Ok(())
/// });
/// assert_eq!((plain.name(), inline.name()), ("plain".into(), "async".into()));
/// ```
pub fn task_fn<F, Fut, R>(name: impl Into<Cow<'static, str>>, function: F) -> TaskFn<F>
where
    F: FnOnce(Context) -> Fut + Send + 'static,
    Fut: Future<Output = R> + Send + 'static,
    R: TaskResult,
{
    TaskFn { name: name.into(), function }
}

/// What the function of a task returns: [`anyhow::Result<()>`](anyhow::Result), and nothing else.
///
/// It is a trait for the sake of the compiler's message, which says how to convert another error.
/// With one implementation it does not keep the compiler from inferring the type of a closure's
/// result.
#[diagnostic::on_unimplemented(
    message = "the function of a task returns `anyhow::Result<()>`, and this one `{Self}`",
    label = "returns `{Self}`",
    note = "convert the error around it: `async |ctx| Ok(run(ctx).await?)`",
    note = "for `Box<dyn Error>`, reports and all else: `async |ctx| run(ctx).await.map_err(any_error)`"
)]
pub trait TaskResult: Sealed {}

impl TaskResult for anyhow::Result<()> {}

/// Keeps other implementations out, by which nothing could be inferred.
pub trait Sealed {}

impl Sealed for anyhow::Result<()> {}

/// A task that runs a closure. Returned by [`task_fn`].
#[derive(Clone)]
#[must_use = "a task does nothing until a manager runs it"]
pub struct TaskFn<F> {
    name: Cow<'static, str>,
    function: F,
}

impl<F, Fut> Task for TaskFn<F>
where
    F: FnOnce(Context) -> Fut + Send + 'static,
    Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    fn name(&self) -> Cow<'static, str> {
        self.name.clone()
    }

    fn run(self, ctx: Context) -> impl Future<Output = anyhow::Result<()>> + Send {
        (self.function)(ctx)
    }
}

impl<F> fmt::Debug for TaskFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskFn").field("name", &self.name).finish_non_exhaustive()
    }
}
