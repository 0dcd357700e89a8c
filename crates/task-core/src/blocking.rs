//! A task for code that blocks its thread.
//!
//! It runs on an OS thread of its own and not on the runtime's blocking pool: a runtime that is
//! dropped waits without limit for its pool, and not at all for a thread.

use std::{
    any::Any,
    borrow::Cow,
    fmt, mem,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{self, Poll, Waker},
    thread,
};

use anyhow::Context as _;

use crate::{
    Cancelled, Context, Task, TaskResult,
    scope::{catch, discard},
};

/// Creates a task from a synchronous closure, which runs on an OS thread of its own, named after
/// the task.
///
/// The closure should look at its context now and then: by [`Context::is_cancelled`] between two
/// steps, or by [`Context::wait_cancelled`] as an interruptible sleep.
///
/// Under a manager the thread starts when the task is admitted, and its failure stops the group at
/// that instant: neither needs a worker of the runtime. Where [`Task::run`] is called by hand, the
/// thread starts with the first poll, and an error is only returned; a panic fails the task at that
/// instant there, too.
///
/// # Deadlines
///
/// A thread cannot be aborted. At the deadline the task's future is dropped, and:
///
/// - a closure that returns soon after leaves the task [aborted](crate::Outcome::Aborted); an error
///   that it returns then, or its panic, is recorded as one more failure, except for
///   [`Cancelled`], which is no failure then;
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
/// A function with another error than `anyhow`'s is wrapped: `blocking_task("purge", |ctx|
/// Ok(purge(ctx)?))`; see [`any_error`](crate::any_error).
///
/// # Paused clocks
///
/// On Tokio's paused clock, which only tests have, time leaps to the next timer as soon as no async
/// task is ready. It does not wait for threads: at a stop, the deadlines pass at once, and a
/// closure that would take a millisecond to return is reported as abandoned. Tokio does wait while
/// a `spawn_blocking` job is running. So a test gives threads real time by such a job, which ends
/// when the task has ended, or else after the longest time that the test is to take:
///
/// ```
/// use std::{sync::{Arc, mpsc}, time::Duration};
/// use task_core::{Context, Task, blocking_task, scope::{Stage, StageCell}};
/// use tokio::{task::spawn_blocking, time::timeout};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// let stage = Arc::new(StageCell::new());
/// let task = blocking_task("purge", |ctx: Context| {
///     while !ctx.wait_cancelled(Duration::from_secs(60)) {}
///     std::thread::sleep(Duration::from_millis(20)); // some last work, in real time
///     Ok(())
/// });
/// let running = tokio::spawn(task.run(Context::new(stage.clone())));
///
/// let (ended, has_ended) = mpsc::channel::<()>();
/// let real_time = spawn_blocking(move || has_ended.recv_timeout(Duration::from_secs(10)));
/// stage.advance(Stage::Cancelled);
/// // Without the job, these five seconds would pass at once.
/// timeout(Duration::from_secs(5), running).await.unwrap().unwrap().unwrap();
/// drop(ended);
/// # let _ = real_time.await;
/// # }
/// ```
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
pub fn blocking_task<F, R>(name: impl Into<Cow<'static, str>>, function: F) -> BlockingTask<F>
where
    F: FnOnce(Context) -> R + Send + 'static,
    R: TaskResult,
{
    BlockingTask { name: name.into(), work: Work::New(function) }
}

/// A task that runs a synchronous closure on a thread of its own. Returned by [`blocking_task`].
///
/// A clone of one whose thread has started has nothing to run, and fails.
#[must_use = "a task does nothing until a manager runs it"]
pub struct BlockingTask<F> {
    name: Cow<'static, str>,
    work: Work<F>,
}

enum Work<F> {
    New(F),
    /// The thread was started at admission, or could not be.
    Started(anyhow::Result<Running>),
    Moved,
}

impl<F> BlockingTask<F>
where
    F: FnOnce(Context) -> anyhow::Result<()> + Send + 'static,
{
    fn start(&mut self, ctx: &Context, errors: Errors) -> anyhow::Result<Running> {
        match mem::replace(&mut self.work, Work::Moved) {
            Work::New(function) => start(&self.name, function, ctx, errors),
            Work::Started(running) => running,
            Work::Moved => Err(anyhow::Error::msg("a clone of a task that had started")),
        }
    }
}

impl<F> Task for BlockingTask<F>
where
    F: FnOnce(Context) -> anyhow::Result<()> + Send + 'static,
{
    fn name(&self) -> Cow<'static, str> {
        self.name.clone()
    }

    /// Starts the thread.
    fn admitted(&mut self, ctx: &Context) {
        self.work = Work::Started(self.start(ctx, Errors::FailAtOnce));
    }

    /// Waits for the closure, whose thread is started first if [`admitted`](Task::admitted) was not
    /// called. Fails if the system provides no thread.
    async fn run(mut self, ctx: Context) -> anyhow::Result<()> {
        let running = self.start(&ctx, Errors::Return)?;
        drop(ctx);
        running.await.unwrap_or_else(|payload| resume_unwind(payload))
    }
}

impl<F: Clone> Clone for BlockingTask<F> {
    fn clone(&self) -> Self {
        let work = match &self.work {
            Work::New(function) => Work::New(function.clone()),
            Work::Started(_) | Work::Moved => Work::Moved,
        };
        Self { name: self.name.clone(), work }
    }
}

impl<F> fmt::Debug for BlockingTask<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockingTask").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What is done with an error of the closure.
#[derive(Clone, Copy)]
enum Errors {
    /// The future returns it to its caller, who may go on.
    Return,
    /// It is the end of the task.
    FailAtOnce,
}

type ThreadResult = Result<anyhow::Result<()>, Box<dyn Any + Send>>;

fn start<F>(name: &str, function: F, ctx: &Context, errors: Errors) -> anyhow::Result<Running>
where
    F: FnOnce(Context) -> anyhow::Result<()> + Send + 'static,
{
    let progress = Arc::new(Mutex::new(Progress::default()));
    // Made before the thread exists, since the task may be dropped right after.
    let hold = ctx.hold();
    let running = Running { progress: Arc::clone(&progress), ctx: ctx.clone() };
    let ctx = ctx.clone();
    thread::Builder::new()
        .name(name.replace('\0', "")) // a NUL is the one character that the builder refuses
        .spawn(move || {
            // The hold is dropped last: the task has ended only when the closure, and what it
            // owned, is gone.
            let inner = ctx.clone();
            let result = catch_unwind(AssertUnwindSafe(|| ctx.enter(move || function(inner))));
            finish(&progress, result, &ctx, errors);
            drop(ctx);
            drop(hold);
        })
        .context("failed to start a thread")?;
    Ok(running)
}

/// What the thread and the future that waits for it share.
#[derive(Default)]
struct Progress {
    result: Option<ThreadResult>,
    waker: Option<Waker>,
    /// The future was dropped, so the result can no longer be the task's.
    is_gone: bool,
}

/// Waits for the thread.
struct Running {
    progress: Arc<Mutex<Progress>>,
    ctx: Context,
}

impl Future for Running {
    type Output = ThreadResult;

    fn poll(self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<ThreadResult> {
        let waker = cx.waker().clone();
        let mut progress = lock(&self.progress);
        if let Some(result) = progress.result.take() {
            return Poll::Ready(result);
        }
        let old = progress.waker.replace(waker);
        drop(progress);
        discard(old);
        Poll::Pending
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut progress = lock(&self.progress);
        progress.is_gone = true;
        // The thread has ended, and the future was not polled since.
        let result = progress.result.take();
        drop(progress);
        if let Some(result) = result {
            record_late(&self.ctx, result);
        }
    }
}

fn lock(progress: &Mutex<Progress>) -> MutexGuard<'_, Progress> {
    progress.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Does on the thread what its result asks for.
fn finish(progress: &Mutex<Progress>, result: ThreadResult, ctx: &Context, errors: Errors) {
    let result = match (result, errors) {
        (Ok(Err(error)), Errors::FailAtOnce)
            if !is_clean(&error, ctx) && !lock(progress).is_gone =>
        {
            Ok(ctx.fail(error))
        }
        (result, Errors::FailAtOnce | Errors::Return) => result,
    };
    if let Some(result) = hand_over(progress, result) {
        record_late(ctx, result);
    }
}

/// Stores the result for the future and wakes it. Returns the result if the future was dropped.
fn hand_over(progress: &Mutex<Progress>, result: ThreadResult) -> Option<ThreadResult> {
    let mut progress = lock(progress);
    if progress.is_gone {
        return Some(result);
    }
    progress.result = Some(result);
    let waker = progress.waker.take();
    drop(progress);
    // Foreign code, which must not keep the thread from its last steps.
    let _ = catch(|| waker.map(Waker::wake));
    None
}

/// Records an error that came after the task was aborted. A panic was recorded when it left the
/// closure.
fn record_late(ctx: &Context, result: ThreadResult) {
    match result {
        Ok(Ok(())) => {}
        Ok(Err(error)) if is_clean(&error, ctx) => discard(error),
        Ok(Err(error)) => ctx.record_failure(error.context("after the task was aborted")),
        Err(payload) => discard(payload),
    }
}

/// Returns whether an error is a clean end, by the rule that managers follow.
fn is_clean(error: &anyhow::Error, ctx: &Context) -> bool {
    ctx.is_cancelled() && Cancelled::is_outermost_in(error)
}
