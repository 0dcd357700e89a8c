//! What a running task sees of its manager.

use std::{
    borrow::Cow,
    fmt,
    future::poll_fn,
    mem,
    pin::pin,
    sync::Arc,
    task::{Poll, Wake, Waker},
    thread::{self, Thread},
    time::{Duration, Instant},
};

use crate::{
    Cancelled, Escalation, Group, Hold, WaitFor,
    scope::{Scope, Stage},
};

/// What a running task sees of its manager: when to stop, and ways to say how it is doing.
///
/// It is cheap to clone and may be handed to helpers; it gives no power over other tasks but the one that every task
/// has anyway by returning, to stop the whole group, and to make that hurry. A context that outlives its task stays valid and is cancelled.
///
/// # Choosing how to wait
///
/// | | when both are ready | a stop in mid-await |
/// |---|---|---|
/// | [`or_cancelled`](Self::or_cancelled) | cancellation wins | drops the future |
/// | [`ready_or_cancelled`](Self::ready_or_cancelled) | the result wins | drops the future |
/// | a plain `.await` | — | waits for the result |
///
/// Both of the first two drop the future when the stop comes while it is pending, so what must be done whole or not
/// at all (a commit, a flush, an acknowledgement) sits in neither of them.
#[derive(Clone)]
pub struct Context(Arc<dyn Scope>);

impl Context {
    /// Makes a context of a scope. Managers do this, and tests of tasks: see [`StageCell`](crate::scope::StageCell).
    pub fn new(scope: Arc<dyn Scope>) -> Self {
        Self(scope)
    }

    /// Returns the task's name.
    pub fn name(&self) -> &str {
        self.0.name()
    }

    /// Resolves when this task is asked to end: its phase is being stopped, or it alone. For those who hold it, also when
    /// its future has ended.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: it can be dropped and asked again at any time, and resolves at once when the task already is
    /// cancelled.
    pub fn cancelled(&self) -> WaitFor<'_> {
        self.0.stage().reached(Stage::Cancelled)
    }

    /// Tells whether this task is asked to end.
    pub fn is_cancelled(&self) -> bool {
        self.0.stage().get() >= Stage::Cancelled
    }

    /// Resolves when the group begins to drain: it is no longer ready, and this task will be stopped soon, but goes
    /// on working. Resolves at the latest together with [`cancelled`](Self::cancelled).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: it can be dropped and asked again at any time.
    pub fn draining(&self) -> WaitFor<'_> {
        self.0.stage().reached(Stage::Draining)
    }

    /// Tells whether the group is draining, or beyond, or this task alone is asked to end.
    pub fn is_draining(&self) -> bool {
        self.0.stage().get() >= Stage::Draining
    }

    /// Awaits `future`, or gives it up when this task is cancelled; cancellation wins a tie. Once the task is
    /// cancelled, `future` is not polled at all.
    ///
    /// ```
    /// # use task_core::Context;
    /// # async fn receive() -> u32 { 1 }
    /// # async fn handle(_: u32) -> anyhow::Result<()> { Ok(()) }
    /// async fn run(ctx: Context) -> anyhow::Result<()> {
    ///     loop {
    ///         let message = ctx.or_cancelled(receive()).await?; // a clean end when the group stops
    ///         handle(message).await?;                           // never cut in half
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Cancelled`], when the task is cancelled first.
    ///
    /// # Cancel safety
    ///
    /// That of `future`, which is dropped when the task is cancelled or this call is.
    pub async fn or_cancelled<F: Future>(&self, future: F) -> Result<F::Output, Cancelled> {
        let mut cancelled = self.cancelled();
        let mut future = pin!(future);
        poll_fn(|cx| {
            if pin!(&mut cancelled).poll(cx).is_ready() {
                return Poll::Ready(Err(Cancelled));
            }
            future.as_mut().poll(cx).map(Ok)
        })
        .await
    }

    /// Awaits `future`, or gives it up when this task is cancelled; a result that is ready wins a tie. A cancelled
    /// task thus still takes what is already there, and ends at the first thing that it would have to wait for.
    ///
    /// Tokio hides what is ready from a task that has used up its turn, such as by 128 receives in a row. So a future
    /// is given up only when it has nothing on the next poll either, after the task has let others run.
    ///
    /// # Errors
    ///
    /// [`Cancelled`], when the task is cancelled and `future` is not ready.
    ///
    /// # Cancel safety
    ///
    /// That of `future`, which is dropped when the task is cancelled or this call is.
    pub async fn ready_or_cancelled<F: Future>(&self, future: F) -> Result<F::Output, Cancelled> {
        let mut cancelled = self.cancelled();
        let mut future = pin!(future);
        let mut has_yielded = false;
        poll_fn(|cx| {
            if let Poll::Ready(output) = future.as_mut().poll(cx) {
                return Poll::Ready(Ok(output));
            }
            if pin!(&mut cancelled).poll(cx).is_pending() {
                return Poll::Pending;
            }
            if mem::replace(&mut has_yielded, true) {
                return Poll::Ready(Err(Cancelled));
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await
    }

    /// Blocks the calling thread until the task is cancelled or `timeout` has passed, and tells whether the task is
    /// cancelled. For synchronous code, such as a [`blocking_task`](crate::blocking_task), as its interruptible
    /// sleep. Measured on the system's monotonic clock, also where a test has paused tokio's.
    pub fn wait_cancelled(&self, timeout: Duration) -> bool {
        // `None`: further away than the clock can tell, hence never.
        let deadline = Instant::now().checked_add(timeout);
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut cancelled = self.cancelled();
        while pin!(&mut cancelled).poll(&mut std::task::Context::from_waker(&waker)).is_pending() {
            match deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())) {
                Some(Duration::ZERO) => return false,
                Some(left) => thread::park_timeout(left),
                None => thread::park(),
            }
        }
        true
    }

    /// Returns a token that is cancelled together with this task, for code that wants one. Cancelling it affects
    /// nobody but those who hold it or its children.
    #[cfg(feature = "token")]
    pub fn child_token(&self) -> tokio_util::sync::CancellationToken {
        self.0.stage().child_token()
    }

    /// Returns how much time this task has left to end before it is aborted: `None` before a shutdown has begun, or
    /// where it has no limit. It may shrink faster than the clock, when a shutdown is made to hurry; it never grows.
    pub fn remaining(&self) -> Option<Duration> {
        self.0.remaining()
    }

    /// Says whether this task is ready. It matters to the group if the task
    /// [gates readiness](crate::Task::gates_readiness); it shows in the group's view in any case.
    pub fn set_ready(&self, ready: bool) {
        self.0.set_ready(ready);
    }

    /// Says what this task is doing, for the group's view, the "still waiting" lines of a shutdown and the report:
    /// `ctx.set_status("flushing 120 messages")`. The last one counts; at most 256 bytes of it are kept.
    pub fn set_status(&self, status: impl Into<Cow<'static, str>>) {
        self.0.set_status(status.into());
    }

    /// Asks the whole group to stop, and returns at once. If nothing has begun the shutdown before, the reason
    /// becomes its cause; otherwise it is recorded beside the cause, as one of the first 16; later ones are counted. It is no failure.
    pub fn request_stop(&self, reason: impl Into<Cow<'static, str>>) {
        self.0.request_stop(reason.into());
    }

    /// Makes a shutdown hurry, or begins one that does. The cause, or a later trigger, is then a request of this task's:
    /// `told to hurry`.
    pub fn escalate(&self, level: Escalation) {
        self.0.escalate(level);
    }

    /// Keeps the task from having ended while the returned value lives: for threads and spawned helpers that belong
    /// to its work. Taken after the task has ended, it holds nothing.
    pub fn hold(&self) -> Hold {
        Hold::new(Arc::clone(&self.0))
    }

    /// Puts a failure into the report without ending the task: for wrappers that run a task again after it failed.
    /// The group goes on, and its result is no longer clean. Once the report is made, the log alone has it.
    pub fn record_failure(&self, error: impl Into<anyhow::Error>) {
        self.0.record_failure(error.into());
    }

    /// Counts one restart in the group's view: for wrappers that run a task again.
    pub fn record_restart(&self) {
        self.0.record_restart();
    }

    /// Says for the group's view how many signals of this name have come so far: for tasks that wait for signals. Of
    /// several tasks that count the same signal, the highest count is shown.
    pub fn record_signal(&self, name: impl Into<Cow<'static, str>>, count: u64) {
        self.0.record_signal(name.into(), count);
    }

    /// Returns the read-only view of the group: every task, and where the manager stands.
    pub fn group(&self) -> Group {
        self.0.group()
    }

    /// Runs `body` on the calling thread as a part of this task: its panics are located and its log lines carry the
    /// task's span. For threads that belong to a task; within the task's own future it is not needed.
    ///
    /// # Panics
    ///
    /// If `body` does.
    pub fn enter<R>(&self, body: impl FnOnce() -> R) -> R {
        let mut body = Some(body);
        let mut result = None;
        Arc::clone(&self.0).enter(&mut || {
            if let Some(body) = body.take() {
                result = Some(body());
            }
        });
        match (result, body) {
            (Some(result), _) => result,
            (None, Some(body)) => body(), // a scope that did not run it
            (None, None) => unreachable!("the body has run and left its result"),
        }
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("name", &self.name())
            .field("stage", &self.0.stage().get())
            .finish_non_exhaustive()
    }
}

/// Wakes a parked thread.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
