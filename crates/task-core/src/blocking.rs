//! A task for code that blocks its thread.
//!
//! It runs on an OS thread of its own and not on the runtime's blocking pool: a runtime that is
//! dropped waits without limit for its pool, and not at all for a thread.

use std::{
    any::Any,
    borrow::Cow,
    fmt,
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{Arc, Mutex, PoisonError},
    task::{Poll, Waker},
    thread,
};

use anyhow::Context as _;

use crate::{
    Context, Task,
    scope::{discard, panic_text},
};

/// Creates a task from a synchronous closure, which runs on an OS thread of its own, named after
/// the task.
///
/// The closure should look at its context now and then: by [`Context::is_cancelled`] between two
/// steps, or by [`Context::wait_cancelled`] as an interruptible sleep.
///
/// # Deadlines
///
/// A thread cannot be aborted. At the deadline the task's future is dropped, and:
///
/// - a closure that returns soon after leaves the task [aborted](crate::Outcome::Aborted); an error
///   that it returns then, or its panic, is recorded as one more failure;
/// - a closure that does not is reported as [abandoned](crate::Outcome::Abandoned), and its thread
///   runs on until it returns or the process ends.
///
/// # Panics
///
/// A panic of the closure is the task's panic, with its own payload.
///
/// # Errors
///
/// The task fails with the error of the closure, or if the system provides no thread.
///
/// # Comparison to `spawn_blocking`
///
/// Tokio's blocking pool has no thread per job and is cheaper for short ones. But a runtime waits
/// for its pool when it is dropped, so one blocked job keeps the process. A `blocking_task` does
/// not.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use task_core::{Context, blocking_task};
///
/// let purge = blocking_task("purge", |ctx: Context| {
///     while !ctx.wait_cancelled(Duration::from_secs(60)) {
///         // Delete a batch.
///     }
///     Ok(())
/// });
/// ```
///
/// Futures that are not `Send` run on a current-thread runtime inside the closure:
///
/// ```
/// use std::{cell::Cell, rc::Rc};
/// use task_core::{Context, blocking_task};
/// use tokio::{runtime, task::LocalSet};
///
/// let script = blocking_task("script", |ctx: Context| {
///     let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
///     LocalSet::new().block_on(&runtime, async {
///         let runs = Rc::new(Cell::new(0));
///         while ctx.or_cancelled(tokio::task::yield_now()).await.is_ok() {
///             runs.set(runs.get() + 1);
///         }
///         Ok(())
///     })
/// });
/// ```
pub fn blocking_task<F>(name: impl Into<Cow<'static, str>>, function: F) -> BlockingTask<F>
where
    F: FnOnce(Context) -> anyhow::Result<()> + Send + 'static,
{
    BlockingTask { name: name.into(), function }
}

/// A task that runs a synchronous closure on a thread of its own. Returned by [`blocking_task`].
#[derive(Clone)]
#[must_use = "a task does nothing until a manager runs it"]
pub struct BlockingTask<F> {
    name: Cow<'static, str>,
    function: F,
}

impl<F> Task for BlockingTask<F>
where
    F: FnOnce(Context) -> anyhow::Result<()> + Send + 'static,
{
    fn name(&self) -> Cow<'static, str> {
        self.name.clone()
    }

    /// Starts the thread and waits for the closure. Fails if the system provides no thread.
    async fn run(self, ctx: Context) -> anyhow::Result<()> {
        let Self { name, function } = self;
        let shared = Arc::new(Mutex::new(Progress::default()));
        // Taken before the thread exists, since this future may be dropped right after.
        let hold = ctx.hold();
        let held = ctx.clone();
        thread::Builder::new()
            .name(name.replace('\0', "")) // a NUL is the one character that the builder refuses
            .spawn({
                let shared = Arc::clone(&shared);
                move || {
                    // The hold is dropped last: the task has ended only when the closure, and what
                    // it owned, is gone.
                    let result = catch_unwind(AssertUnwindSafe(|| {
                        let inner = ctx.clone();
                        ctx.enter(move || function(inner))
                    }));
                    if let Some(result) = hand_over(&shared, result) {
                        record_late(&ctx, result);
                    }
                    drop(ctx);
                    drop(hold);
                }
            })
            .context("failed to start a thread")?;
        let _gone = Gone(Arc::clone(&shared), held);
        let result = poll_fn(|cx| {
            let waker = cx.waker().clone();
            let mut progress = shared.lock().unwrap_or_else(PoisonError::into_inner);
            match progress.result.take() {
                Some(result) => Poll::Ready(result),
                None => {
                    let old = progress.waker.replace(waker);
                    drop(progress);
                    drop(old);
                    Poll::Pending
                }
            }
        })
        .await;
        result.unwrap_or_else(|payload| resume_unwind(payload))
    }
}

impl<F> fmt::Debug for BlockingTask<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockingTask").field("name", &self.name).finish_non_exhaustive()
    }
}

type ThreadResult = Result<anyhow::Result<()>, Box<dyn Any + Send>>;

/// What the thread and the future that waits for it share.
#[derive(Default)]
struct Progress {
    result: Option<ThreadResult>,
    waker: Option<Waker>,
    /// The future was dropped, so the result can no longer be the task's.
    is_gone: bool,
}

/// Marks the future as dropped.
struct Gone(Arc<Mutex<Progress>>, Context);

impl Drop for Gone {
    fn drop(&mut self) {
        let mut progress = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        progress.is_gone = true;
        // The thread has ended, and the future was not polled since.
        let result = progress.result.take();
        drop(progress);
        if let Some(result) = result {
            record_late(&self.1, result);
        }
    }
}

/// Stores the result for the future and wakes it. Returns the result if the future was dropped.
fn hand_over(shared: &Mutex<Progress>, result: ThreadResult) -> Option<ThreadResult> {
    let mut progress = shared.lock().unwrap_or_else(PoisonError::into_inner);
    if progress.is_gone {
        return Some(result);
    }
    progress.result = Some(result);
    let waker = progress.waker.take();
    drop(progress);
    if let Some(waker) = waker {
        waker.wake();
    }
    None
}

/// Records what went wrong after the task was aborted.
fn record_late(ctx: &Context, result: ThreadResult) {
    match result {
        Ok(Ok(())) => {}
        Ok(Err(error)) => ctx.record_failure(error.context("after the task was aborted")),
        Err(payload) => {
            let text = panic_text(&*payload);
            let error = anyhow::anyhow!("panicked after the task was aborted: {text}");
            // Its drop may panic, on a thread where nothing would catch that.
            discard(payload);
            ctx.record_failure(error);
        }
    }
}
