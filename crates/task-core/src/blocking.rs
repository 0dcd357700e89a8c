//! A task for code that blocks its thread.
//!
//! It runs on an OS thread of its own and not on the runtime's blocking pool: a runtime that is dropped waits without
//! limit for its pool, and not at all for a thread.

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

/// Makes a task of a synchronous closure, which runs on an OS thread of its own, named after the task.
///
/// ```
/// # use std::time::Duration;
/// # use task_core::{Context, blocking_task};
/// let purge = blocking_task("purge", |ctx: Context| {
///     while !ctx.wait_cancelled(Duration::from_secs(60)) {
///         // delete a batch
///     }
///     Ok(())
/// });
/// ```
///
/// A thread cannot be aborted. A closure that returns soon after its deadline leaves the task aborted, and an error that
/// it then returns is a failure beside that; one that does not is reported as abandoned, and the thread runs on until it
/// returns or the process ends. A panic of the closure counts as the task's.
///
/// This is also the place for futures that are not `Send`: build a current-thread runtime inside the closure and
/// block on it there.
pub fn blocking_task<F>(name: impl Into<Cow<'static, str>>, function: F) -> BlockingTask<F>
where
    F: FnOnce(Context) -> anyhow::Result<()> + Send + 'static,
{
    BlockingTask { name: name.into(), function }
}

/// A task that runs a synchronous closure on a thread of its own: what [`blocking_task`] returns.
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

    /// Fails if the system has no thread to give.
    async fn run(self, ctx: Context) -> anyhow::Result<()> {
        let Self { name, function } = self;
        let shared = Arc::new(Mutex::new(Progress::default()));
        // Taken before the thread is there: this future may be dropped right after.
        let hold = ctx.hold();
        let held = ctx.clone();
        thread::Builder::new()
            .name(name.replace('\0', "")) // a NUL is all that the builder refuses
            .spawn({
                let shared = Arc::clone(&shared);
                move || {
                    // The hold goes last: the task has ended only when the closure and what it owned are gone.
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

/// Between the thread and the future that waits for it.
#[derive(Default)]
struct Progress {
    result: Option<ThreadResult>,
    waker: Option<Waker>,
    /// The future was dropped: nobody will look at the result.
    is_gone: bool,
}

/// Says that the future was dropped.
struct Gone(Arc<Mutex<Progress>>, Context);

impl Drop for Gone {
    fn drop(&mut self) {
        let mut progress = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        progress.is_gone = true;
        // The thread was done, and nobody has looked.
        let result = progress.result.take();
        drop(progress);
        if let Some(result) = result {
            record_late(&self.1, result);
        }
    }
}

/// Gives the result to the future; hands it back if that is gone.
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
            let text = panic_text(&*payload).unwrap_or("(a payload that is no text)");
            let error = anyhow::anyhow!("panicked after the task was aborted: {text}");
            // On a thread that has nobody else to tell.
            discard(payload);
            ctx.record_failure(error);
        }
    }
}
