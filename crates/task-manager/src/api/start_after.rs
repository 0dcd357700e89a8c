//! A task that starts once others are ready.

use std::borrow::Cow;
use std::future::{pending, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use task_core::{Context, Phase, Step, Task, Timeout};

use super::TaskHandle;
use crate::group::in_order;
use crate::report::NotReadyError;

/// The most names in the status of a task that waits for others.
const MAX_NAMED: usize = 20;

/// Makes a task start only once `others` are ready, in the sense of [`TaskHandle::ready`].
///
/// The task is admitted by [`Manager::run`](crate::Manager::run) at once: it counts, gates
/// readiness, and is stopped in its phase like any other. Its own `run` is called once each of
/// `others` has been ready; that one ceases to be so later changes nothing. Until then its
/// [status](Context::set_status) is `waiting for:` with the names of those that are not ready (up
/// to 20); the report has it, and so has the failure of a [start
/// timeout](crate::ManagerBuilder::start_timeout) if it gates readiness. Without such a timeout
/// there is no limit to the wait.
///
/// # If one of them never becomes ready
///
/// | meanwhile | the task |
/// |---|---|
/// | it is asked to stop, or the group is | never starts, and ends as [cancelled](task_core::Outcome::Cancelled), which is clean |
/// | one that it waits for ends without being ready, and that stops the group | the same, once its phase is stopped |
/// | one that it waits for ends without being ready, and the group goes on | never starts, and fails with the [`NotReadyError`] that names it |
///
/// # Order
///
/// A handle exists only once its task is admitted, so tasks of one group cannot wait for each other
/// in a circle. Through a [nested group](crate::Nested), whose readiness is that of its own tasks,
/// they can: the task that closes such a circle fails, and does not start.
///
/// The order of the stop is set by [phases](crate#phases-and-deadlines), and not by this.
///
/// # Examples
///
/// ```
/// use task_manager::{Context, Manager, Task, start_after, task_fn};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> anyhow::Result<()> {
/// let manager = Manager::new();
/// let migration = manager.run_ephemeral(task_fn("migration", async |_| Ok(())))?;
/// let cache = manager.run(task_fn("cache", async |ctx: Context| {
///     ctx.set_ready(true); // once it is warm
///     ctx.cancelled().await;
///     Ok(())
/// }))?;
/// let server = task_fn("server", async |ctx: Context| {
///     ctx.set_ready(true); // the port is bound
///     ctx.cancelled().await;
///     Ok(())
/// });
/// let server = start_after([&migration, &cache], server).gating_readiness();
/// let server = manager.run(server)?;
/// assert_eq!(server.info().status, None); // not polled yet
/// manager.ready().await?;
/// # manager.shutdown().await?;
/// # Ok(())
/// # }
/// ```
pub fn start_after<'a, T: Task>(
    others: impl IntoIterator<Item = &'a TaskHandle>,
    task: T,
) -> StartAfter<T> {
    StartAfter { others: others.into_iter().cloned().collect(), task }
}

/// A task that starts once others are ready. Returned by [`start_after`].
#[derive(Clone, Debug)]
#[must_use = "a task does nothing until a manager runs it"]
pub struct StartAfter<T> {
    others: Vec<TaskHandle>,
    task: T,
}

impl<T: Task> Task for StartAfter<T> {
    fn name(&self) -> Cow<'static, str> {
        self.task.name()
    }

    fn phase(&self) -> Phase {
        self.task.phase()
    }

    fn gates_readiness(&self) -> bool {
        self.task.gates_readiness()
    }

    fn stop_timeout(&self) -> Timeout {
        self.task.stop_timeout()
    }

    fn admitted(&mut self, ctx: &Context) {
        self.task.admitted(ctx);
    }

    async fn run(self, ctx: Context) -> anyhow::Result<()> {
        let Self { others, task } = self;
        if !others.is_empty() {
            let ready = in_order(others.iter().map(|other| &other.0), all_ready(&others, &ctx));
            match ctx.or_cancelled(ready).await? {
                Some(result) => result?,
                None => anyhow::bail!("it waits in a circle for: {}", names(others.iter())),
            }
            ctx.set_status("");
        }
        drop(others);
        task.run(ctx).await
    }
}

type Readying<'a> = Pin<Box<dyn Future<Output = Result<(), NotReadyError>> + Send + 'a>>;

/// Waits until each has been ready. In a shutdown, what keeps one from it is known already, and the
/// task waits for its own stop.
async fn all_ready(others: &[TaskHandle], ctx: &Context) -> Result<(), NotReadyError> {
    let mut waiting: Vec<(&TaskHandle, Readying<'_>)> = Vec::with_capacity(others.len());
    for other in others {
        waiting.push((other, Box::pin(other.ready())));
    }
    let mut shown = 0;
    let result = poll_fn(|cx| {
        let mut failed = None;
        waiting.retain_mut(|(_, ready)| match ready.as_mut().poll(cx) {
            Poll::Pending => true,
            Poll::Ready(Ok(())) => false,
            Poll::Ready(Err(error)) => {
                failed.get_or_insert(error);
                false
            }
        });
        if let Some(error) = failed {
            return Poll::Ready(Err(error));
        }
        if waiting.is_empty() {
            return Poll::Ready(Ok(()));
        }
        if waiting.len() != shown {
            shown = waiting.len();
            let names = names(waiting.iter().map(|(other, _)| *other));
            ctx.set_status(format!("waiting for: {names}"));
        }
        Poll::Pending
    })
    .await;
    match result {
        Err(_) if ctx.group().step() > Step::Running => pending().await,
        result => result,
    }
}

fn names<'a>(tasks: impl Iterator<Item = &'a TaskHandle>) -> String {
    let names: Vec<&str> = tasks.take(MAX_NAMED).map(|task| &*task.0.name).collect();
    names.join(", ")
}
