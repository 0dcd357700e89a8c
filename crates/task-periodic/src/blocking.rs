//! An action that blocks: each run is on a thread of its own.

use std::{
    fmt,
    panic::resume_unwind,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Instant,
};

use anyhow::{Context as _, bail};
use task_core::{
    Context, Hold, Panic,
    scope::{Level, catch, discard, guarded_text, seconds},
};
use tracing::{Span, info, warn};

use crate::Action;

/// Creates an action from a synchronous closure, each run of which is on an OS thread of its own.
///
/// The closure may mutate what it captures. It is for code that blocks, such as a database driver,
/// a compression or a look through a file system; in an async closure that would block a worker of
/// the runtime.
///
/// A thread cannot be ended from outside. Therefore:
///
/// - **A timeout does not end the thread.** The run has failed at its
///   [`run_timeout`](crate::PeriodicTask::run_timeout), but the next run waits until the thread has
///   returned, however long that takes: the runs of one task never overlap. The ticks that pass
///   meanwhile are missed ones, and the back-off begins with the return. How the thread ended then
///   is logged, and changes nothing any more.
/// - **At the stop the thread keeps the task from ending**, also one whose run has timed out. The
///   closure should look at [`is_cancelled`](Context::is_cancelled) between two steps, and use
///   [`wait_cancelled`](Context::wait_cancelled) to sleep. If it returns soon after the deadline,
///   the task is [aborted](task_core::Outcome::Aborted); if not, it is named as
///   [abandoned](task_core::Outcome::Abandoned), and the thread runs on until the process ends. A
///   task that waits for the thread of a timed-out run is not aborted, only abandoned.
///
/// A panic is a failed run like any other. Its message has its place added, since it is resumed on
/// another thread if it ends the task. A run for which the system provides no thread fails.
///
/// On a clock that a test has paused, time passes while the thread works.
///
/// # Examples
///
/// ```
/// # use std::{path::Path, time::Duration};
/// # use task_core::Context;
/// # use task_periodic::{LoopTask, blocking};
/// # fn next_expired(_: &Path) -> anyhow::Result<Option<&Path>> { Ok(None) }
/// let purge = blocking(|ctx: Context| {
///     while !ctx.is_cancelled() && let Some(file) = next_expired(Path::new("/var/spool"))? {
///         std::fs::remove_file(file)?;
///     }
///     Ok(())
/// });
/// let purge = LoopTask::with_action("purge", Duration::from_secs(60), purge)?
///     .run_timeout(Duration::from_secs(600));
/// # Ok::<_, task_periodic::PeriodicError>(())
/// ```
pub fn blocking<F>(function: F) -> Blocking<F>
where
    F: FnMut(Context) -> anyhow::Result<()> + Send + 'static,
{
    Blocking { function: Arc::new(Mutex::new(function)), last: None }
}

/// An action whose runs are on threads, returned by [`blocking`].
pub struct Blocking<F> {
    /// Locked by the thread of a run, and by nothing else.
    function: Arc<Mutex<F>>,
    last: Option<Arc<Flight>>,
}

impl<F> Action for Blocking<F>
where
    F: FnMut(Context) -> anyhow::Result<()> + Send + 'static,
{
    async fn run(&mut self, ctx: Context) -> anyhow::Result<()> {
        let flight = Arc::new(Flight::begin());
        let name = ctx.name().replace('\0', ""); // the one character that the builder refuses
        let function = Arc::clone(&self.function);
        let span = Span::current();
        // Its hold is taken before the thread exists, since this future may be dropped right after.
        let ending = Ending { flight: Arc::clone(&flight), _hold: ctx.hold() };
        let body = move || {
            let result = ctx.enter(|| span.in_scope(|| call(function, &ctx)));
            if let Some(late) = ending.flight.hand_over(result) {
                ctx.enter(|| span.in_scope(|| log_late(late, ending.flight.begun)));
            }
            drop((ctx, span, ending));
        };
        thread::Builder::new().name(name).spawn(body).context("failed to start a thread")?;
        self.last = Some(Arc::clone(&flight));
        let flight = Unclaimed(flight);
        flight.0.ended.reached(1).await;
        match flight.0.take() {
            Some(Ok(result)) => result,
            Some(Err(panic)) => resume_unwind(Box::new(with_place(panic))),
            None => bail!("the log panicked on the thread of the run"),
        }
    }

    async fn settled(&mut self) {
        if let Some(last) = &self.last {
            last.ended.reached(1).await;
        }
    }
}

impl<F> fmt::Debug for Blocking<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Blocking").finish_non_exhaustive()
    }
}

type ThreadResult = Result<anyhow::Result<()>, Panic>;

/// One run: what its thread and the future that waits for it share.
struct Flight {
    begun: Instant,
    result: Mutex<Handover>,
    /// 1 once the thread does nothing any more.
    ended: Level,
}

enum Handover {
    Awaited,
    Done(ThreadResult),
    /// The future was dropped, by a timeout or an abort.
    Unwanted,
}

impl Flight {
    fn begin() -> Self {
        let result = Mutex::new(Handover::Awaited);
        Self { begun: Instant::now(), result, ended: Level::new() }
    }

    /// Stores the result for the future. Returns it if the future was dropped.
    fn hand_over(&self, result: ThreadResult) -> Option<ThreadResult> {
        let mut handover = self.result.lock().unwrap_or_else(PoisonError::into_inner);
        match &*handover {
            Handover::Unwanted => Some(result),
            Handover::Awaited | Handover::Done(_) => {
                *handover = Handover::Done(result);
                None
            }
        }
    }

    /// Takes the result, or makes it unwanted.
    fn take(&self) -> Option<ThreadResult> {
        let mut handover = self.result.lock().unwrap_or_else(PoisonError::into_inner);
        match std::mem::replace(&mut *handover, Handover::Unwanted) {
            Handover::Done(result) => Some(result),
            Handover::Awaited | Handover::Unwanted => None,
        }
    }
}

/// The end of a run's thread, however that comes: the next run may begin, then the task may end.
struct Ending {
    flight: Arc<Flight>,
    _hold: Hold,
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.flight.ended.raise(1);
    }
}

/// The future's part of a run.
struct Unclaimed(Arc<Flight>);

impl Drop for Unclaimed {
    fn drop(&mut self) {
        // If the thread has handed over since the last poll, it has not logged its result.
        if let Some(late) = self.0.take() {
            log_late(late, self.0.begun);
        }
    }
}

/// Calls the closure once. A panic is caught here, before it leaves the context: it fails the run,
/// and what that means for the task is not known yet.
fn call<F>(function: Arc<Mutex<F>>, ctx: &Context) -> ThreadResult
where
    F: FnMut(Context) -> anyhow::Result<()>,
{
    let result = catch(|| function.lock().unwrap_or_else(PoisonError::into_inner)(ctx.clone()));
    // The last reference, if the task's future is gone.
    match (catch(|| drop(function)), result) {
        (Err(panic), Ok(Ok(()))) => Err(panic),
        (Ok(()) | Err(_), result) => result,
    }
}

/// Logs how the thread of a run ended that had timed out, or whose task was aborted.
fn log_late(result: ThreadResult, begun: Instant) {
    let took = seconds(begun.elapsed());
    let error = match result {
        Ok(Ok(())) => {
            info!(target: "task", took, "the thread of an abandoned run has returned");
            return;
        }
        Ok(Err(error)) => {
            let text = guarded_text(format_args!("{error:#}"));
            discard(error);
            text
        }
        Err(panic) => with_place(panic),
    };
    warn!(target: "task", took, error, "the thread of an abandoned run has failed");
}

/// The message of a panic, with its place, which the thread that resumes it cannot know.
fn with_place(panic: Panic) -> String {
    match panic.location {
        Some(location) => format!("{} (at {location})", panic.message),
        None => panic.message,
    }
}
