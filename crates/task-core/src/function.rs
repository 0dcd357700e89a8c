//! A task out of a name and a closure.

use std::{borrow::Cow, fmt};

use crate::{Context, Task};

/// Makes a task of a closure that takes the [`Context`] and returns a future.
///
/// Plain closures and async closures both do, with no annotations:
///
/// ```
/// # use task_core::{Task, task_fn};
/// async fn consume(ctx: task_core::Context, topic: String) -> anyhow::Result<()> { Ok(()) }
///
/// let topic = String::from("orders");
/// let plain = task_fn("plain", { let topic = topic.clone(); |ctx| consume(ctx, topic) });
/// let later = task_fn("async", async move |ctx| {
///     ctx.cancelled().await;
///     println!("left {topic}");
///     Ok(())
/// });
/// assert_eq!((plain.name(), later.name()), ("plain".into(), "async".into()));
/// ```
pub fn task_fn<F, Fut>(name: impl Into<Cow<'static, str>>, function: F) -> TaskFn<F>
where
    F: FnOnce(Context) -> Fut + Send + 'static,
    Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    TaskFn { name: name.into(), function }
}

/// A task that runs a closure: what [`task_fn`] returns.
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
