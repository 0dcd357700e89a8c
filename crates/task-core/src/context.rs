//! What a running task sees of its manager.

use std::{
    borrow::Cow,
    fmt,
    future::poll_fn,
    mem,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::pin,
    sync::{Arc, Weak},
    task::{Poll, Wake, Waker},
    thread::{self, Thread},
    time::{Duration, Instant},
};

use crate::{
    Beat, Cancelled, Escalation, Fuse, FuseInstant, Group, Hold, Panic, Phase, Pulse, WaitFor,
    hold::fail_by_panic,
    panics::forget_reports,
    scope::{ChildrenView, Scope, Stage},
};

/// What a running task sees of its manager: when to stop, and ways to report how it is doing.
///
/// A context is cheap to clone and may be given to helpers. It gives no power over other tasks,
/// except for the one that every task has by returning: to stop the whole group, and to
/// [escalate](Self::escalate) that. Where the task has a manager, `ManagerHandle::of` of
/// `task-manager` runs further tasks of its group. A context that outlives its task stays valid,
/// and is cancelled.
///
/// # Choosing how to wait
///
/// | | when both are ready | when the stop comes in mid-await |
/// |---|---|---|
/// | [`or_cancelled`](Self::or_cancelled) | returns [`Cancelled`] | drops the future |
/// | [`ready_or_cancelled`](Self::ready_or_cancelled) | returns the result | drops the future |
/// | a plain `.await` | | goes on until there is a result |
///
/// The first two drop the future if the stop comes while it is pending. So what must happen whole
/// or not at all (a commit, a flush, an acknowledgement) is awaited in neither of them.
///
/// # Limits
///
/// The manager keeps the first 256 bytes of a [status](Self::set_status), the first 16
/// [stop requests](Self::request_stop) after the shutdown's cause, and the counts of 64 names of
/// [signals](Self::record_signal).
///
/// # Examples
///
/// A worker that ends its round before it stops, and reports what it does:
///
/// ```
/// use std::time::Duration;
/// use task_core::Context;
/// use tokio::{select, time::interval};
///
/// async fn run(ctx: Context) -> anyhow::Result<()> {
///     let mut ticks = interval(Duration::from_secs(10));
///     let mut rounds = 0;
///     loop {
///         select! {
///             _ = ticks.tick() => {}
///             () = ctx.cancelled() => return Ok(()),
///         }
///         rounds += 1;
///         ctx.set_status(format!("round {rounds}"));
///         // The round itself is not interrupted.
///     }
/// }
/// ```
#[derive(Clone)]
pub struct Context(Arc<dyn Scope>);

impl Context {
    /// Creates a context over a scope, as managers do, and tests of a task: see
    /// [`StageCell`](crate::scope::StageCell).
    pub fn new(scope: Arc<dyn Scope>) -> Self {
        Self(scope)
    }

    pub(crate) fn scope(&self) -> &Arc<dyn Scope> {
        &self.0
    }

    /// Returns the task's name.
    pub fn name(&self) -> &str {
        self.0.name()
    }

    /// Returns the phase in which this task is stopped; [`Phase::WORK`] where no manager runs it.
    pub fn phase(&self) -> Phase {
        self.0.phase()
    }

    /// Waits until this task is asked to end: because its phase is being stopped, or by a stop of
    /// this task alone. Where a [`Hold`] outlives the task's future, also once that has ended.
    ///
    /// It resolves at once if the task is cancelled already.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe: a call that is dropped loses nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use task_core::{Context, scope::{Stage, StageCell}};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let stage = Arc::new(StageCell::new());
    /// let ctx = Context::new(stage.clone());
    /// let waiting = tokio::spawn(async move { ctx.cancelled().await });
    ///
    /// stage.advance(Stage::Cancelled); // what a manager does to stop a task
    /// waiting.await.unwrap();
    /// # }
    /// ```
    pub fn cancelled(&self) -> WaitFor<'_> {
        self.0.stage().reached(Stage::Cancelled)
    }

    /// Returns whether this task is asked to end; see [`cancelled`](Self::cancelled).
    pub fn is_cancelled(&self) -> bool {
        self.0.stage().get() >= Stage::Cancelled
    }

    /// Waits until the group begins to drain: it is no longer ready, and this task will be stopped
    /// soon, but goes on working. A server closes its idle connections then.
    ///
    /// It resolves at the latest together with [`cancelled`](Self::cancelled). A manager without a
    /// drain delay passes from running to stopping in one step.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe: a call that is dropped loses nothing.
    pub fn draining(&self) -> WaitFor<'_> {
        self.0.stage().reached(Stage::Draining)
    }

    /// Returns whether the group is draining or in a later step, or this task alone is asked to
    /// end.
    pub fn is_draining(&self) -> bool {
        self.0.stage().get() >= Stage::Draining
    }

    /// Returns the task's stage: for wrappers, which hand it on; see
    /// [a scope inside another](crate::scope#a-scope-inside-another).
    pub fn stage(&self) -> Stage {
        self.0.stage().get()
    }

    /// Calls `waker` once when the task has reached `stage`, which may be now: for wrappers, which
    /// hand the stage on.
    ///
    /// It is called on the thread that advances the stage, so it must not block. It cannot be
    /// removed, and is dropped with the task's record if the task never reaches the stage: use
    /// [`cancelled`](Self::cancelled) where the wait may end earlier.
    pub fn wake_at(&self, stage: Stage, waker: Waker) {
        self.0.stage().wake_at(stage, waker);
    }

    /// Waits for `future`, or until this task is cancelled, which takes precedence. Once the task
    /// is cancelled, `future` is not polled at all.
    ///
    /// # Errors
    ///
    /// [`Cancelled`], if the task is cancelled first. As the task's own error it is a clean end.
    ///
    /// # Cancel safety
    ///
    /// That of `future`, which is dropped if the task is cancelled, or this call is dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use task_core::Context;
    /// # async fn receive() -> u32 { 1 }
    /// # async fn handle(_: u32) -> anyhow::Result<()> { Ok(()) }
    ///
    /// async fn run(ctx: Context) -> anyhow::Result<()> {
    ///     loop {
    ///         // A stop while nothing arrives is a clean end of the task.
    ///         let message = ctx.or_cancelled(receive()).await?;
    ///         // A stop does not interrupt the handling.
    ///         handle(message).await?;
    ///     }
    /// }
    /// ```
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

    /// Waits for `future`, which takes precedence, or until this task is cancelled. A cancelled
    /// task thus still takes what is available, and ends at the first result that it would have to
    /// wait for.
    ///
    /// Tokio's cooperative budget makes a ready resource return `Pending`, for instance after 128
    /// receives in a row. So `future` is dropped only if it is pending a second time, after the
    /// task has yielded to others.
    ///
    /// # Errors
    ///
    /// [`Cancelled`], if the task is cancelled and `future` is not ready.
    ///
    /// # Cancel safety
    ///
    /// That of `future`, which is dropped if the task is cancelled, or this call is dropped.
    ///
    /// # Examples
    ///
    /// A consumer that empties its queue before it ends:
    ///
    /// ```
    /// use std::sync::Arc;
    /// use task_core::{Context, scope::{Stage, StageCell}};
    /// use tokio::sync::mpsc;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let stage = Arc::new(StageCell::new());
    /// let ctx = Context::new(stage.clone());
    /// let (sender, mut queue) = mpsc::unbounded_channel();
    /// for order in 1..=3 {
    ///     sender.send(order).unwrap();
    /// }
    /// stage.advance(Stage::Cancelled);
    ///
    /// let mut handled = Vec::new();
    /// while let Ok(Some(order)) = ctx.ready_or_cancelled(queue.recv()).await {
    ///     handled.push(order);
    /// }
    /// assert_eq!(handled, [1, 2, 3]);
    /// # }
    /// ```
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

    /// Blocks the calling thread until the task is cancelled or `timeout` has passed. Returns
    /// whether the task is cancelled.
    ///
    /// It is the interruptible sleep of synchronous code, such as a
    /// [`blocking_task`](crate::blocking_task). The time is that of the system's monotonic clock,
    /// also where a test has paused Tokio's clock. A timeout beyond the clock's range never passes.
    ///
    /// In async code it would block a worker of the runtime; use [`cancelled`](Self::cancelled)
    /// with a timer there.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::{sync::Arc, thread, time::Duration};
    /// use task_core::{Context, scope::{Stage, StageCell}};
    ///
    /// let stage = Arc::new(StageCell::new());
    /// let ctx = Context::new(stage.clone());
    /// assert!(!ctx.wait_cancelled(Duration::from_millis(1)));
    ///
    /// let waiting = thread::spawn(move || ctx.wait_cancelled(Duration::from_secs(3600)));
    /// stage.advance(Stage::Cancelled);
    /// assert!(waiting.join().unwrap());
    /// ```
    pub fn wait_cancelled(&self, timeout: Duration) -> bool {
        // `None` is beyond the clock's range, which is never.
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

    /// Returns a token that is cancelled together with this task, for code that takes one. Requires
    /// the feature `token`.
    ///
    /// Each call returns a new child of one token per task. Cancelling a child affects neither the
    /// task nor its other tokens.
    #[cfg(feature = "token")]
    pub fn child_token(&self) -> tokio_util::sync::CancellationToken {
        self.0.stage().child_token()
    }

    /// Returns how much time this task has left to end before it is aborted: `None` before a
    /// shutdown has begun, or if there is no limit.
    ///
    /// It never grows, but for a task that is only stopped when its time is over: that one is given
    /// a little. It shrinks faster than time passes when the task's own limit or that of its phase
    /// begins to count, at its stop, and when the shutdown is [escalated](Self::escalate). For a
    /// cleanup, it is the time until the cleanup is aborted.
    pub fn remaining(&self) -> Option<Duration> {
        self.0.remaining()
    }

    /// Sets whether this task is ready. Default: not ready.
    ///
    /// The group's readiness depends on it if the task
    /// [gates readiness](crate::Task::gates_readiness). The group's view shows it for every task.
    pub fn set_ready(&self, ready: bool) {
        self.0.set_ready(ready);
    }

    /// Sets what this task is doing, in a few words: `ctx.set_status("flushing 120 messages")`.
    ///
    /// The last status is shown in the group's view, in the report, and in the log of a shutdown
    /// that waits for this task. The manager keeps at most its first 256 bytes, cut at a character.
    /// An empty one takes it away.
    pub fn set_status(&self, status: impl Into<Cow<'static, str>>) {
        self.0.set_status(status.into());
    }

    /// Asks the whole group to stop, and returns at once. This is no failure.
    ///
    /// The reason becomes the cause of the shutdown, unless one has begun already. In that case it
    /// is recorded beside the cause, if it is among the first 16; the later ones are counted.
    pub fn request_stop(&self, reason: impl Into<Cow<'static, str>>) {
        self.0.request_stop(reason.into());
    }

    /// Escalates the shutdown, and begins it if there is none. The cause, or a later trigger, is
    /// then a request of this task.
    pub fn escalate(&self, level: Escalation) {
        self.0.escalate(level);
    }

    /// Returns a value that keeps the task from having ended for as long as it lives: for threads
    /// and spawned tasks that belong to its work. See [`Hold`].
    pub fn hold(&self) -> Hold {
        Hold::new(Arc::clone(&self.0))
    }

    /// Records a failure in the report without ending the task: for wrappers that run a task again
    /// after a failure.
    ///
    /// The group goes on, and its result is no longer clean. A failure that is recorded after the
    /// report was made is only logged.
    pub fn record_failure(&self, error: impl Into<anyhow::Error>) {
        self.0.record_failure(error.into());
    }

    /// Records a panic in the report without ending the task, with its place and backtrace: for
    /// wrappers that run a task again after a panic. Otherwise like
    /// [`record_failure`](Self::record_failure).
    pub fn record_panic(&self, panic: Panic) {
        self.0.record_panic(panic);
    }

    /// Counts a failure in the group's view without ending the task: for wrappers that run a task
    /// again after a failure.
    ///
    /// Unlike [`record_failure`](Self::record_failure) it leaves the result of the group clean, and
    /// logs nothing.
    pub fn count_failure(&self) {
        self.0.count_failure();
    }

    /// Counts one restart in the group's view: for wrappers that run a task again after its end.
    pub fn record_restart(&self) {
        self.0.record_restart();
    }

    /// Records, for the group's view, that the task waits this long before it works again, or that
    /// it works: for wrappers that run a task again after a pause. Default: it works.
    pub fn record_wait(&self, wait: impl Into<Option<Duration>>) {
        self.0.record_wait(wait.into());
    }

    /// Records, for the group's view, how many signals of this name have arrived so far: for tasks
    /// that wait for signals.
    ///
    /// If several tasks count the same signal, the view shows the highest count. It has at most 64
    /// names.
    pub fn record_signal(&self, name: impl Into<Cow<'static, str>>, count: u64) {
        self.0.record_signal(name.into(), count);
    }

    /// Calls `beat` every `interval` until the manager's `wait` has returned: through the drain,
    /// the stop of all tasks and the cleanups, also after this task has ended. It is for watchdogs,
    /// and for what shows a shutdown to the outside.
    ///
    /// Returns `None` if there is nothing that could call it: the task has no manager, the group
    /// has ended, or the system grants no thread.
    ///
    /// Each call gets a [`Beat`]: whether the [runtime](Beat::stale) works, and whether a watchdog
    /// is to [let the process live](Beat::is_alive). In each interval the manager spawns a task on
    /// its runtime. The call comes when that has run, so the last call of a runtime that works
    /// comes before it is blocked; or, if it has not run, at the end of the interval. When the
    /// group has ended, there is one more call at once, with [`Step::Ended`](crate::Step::Ended),
    /// for which `wait` waits up to 250 ms. Calls at the interval go on until `wait` returns, as
    /// while telemetry is flushed, and then have that step as well.
    ///
    /// The calls come from a plain thread, one at a time, with every worker blocked as well, by the
    /// system's clock also where a test has paused Tokio's. `beat` may block: then calls are left
    /// out. If it panics, that is a failure that the task survives, and there are no more calls.
    /// What it has captured is dropped on that thread, at most an interval after `wait` has
    /// returned.
    ///
    /// An interval below 10 ms counts as 10 ms, one above a day as a day. A group has at most 8
    /// pulses; further ones are refused.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use task_core::Context;
    /// # fn feed_the_watchdog() {}
    ///
    /// async fn run(ctx: Context) -> anyhow::Result<()> {
    ///     let pulse = ctx.pulse(Duration::from_secs(5), |beat| {
    ///         if beat.is_alive() {
    ///             feed_the_watchdog();
    ///         }
    ///     });
    ///     anyhow::ensure!(pulse.is_some(), "nothing would feed the watchdog");
    ///     ctx.cancelled().await;
    ///     Ok(()) // the watchdog is fed until all is over
    /// }
    /// ```
    pub fn pulse(
        &self,
        interval: Duration,
        beat: impl FnMut(Beat) + Send + 'static,
    ) -> Option<Pulse> {
        self.0.pulse(interval, Box::new(beat))
    }

    /// Ends the process at an instant, with an exit code and one line on stderr, unless the fuse is
    /// [moved](Fuse::move_to) or dropped before: for work that must not outlive a lease.
    ///
    /// Returns `None` if nothing would end the process: the task has no manager, or its manager,
    /// and those that it is nested in, have no hard exit, which is how a manager is allowed to end
    /// the process; or the system grants no thread.
    ///
    /// The thread that keeps the manager's deadlines does it, so it needs no worker of the runtime,
    /// in every step of the manager and after its end. The line has `text` and the names of up to
    /// 20 tasks that are alive; writing it takes at most 200 ms, and the exit handlers of the C
    /// library another 250 ms, after which the process aborts. If a hard exit is due before, that
    /// one ends the process. Of both at once, the fuse does.
    ///
    /// The clock is that of [`FuseInstant`], also where a test has paused Tokio's.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use task_core::{Context, FuseInstant};
    /// # async fn renew() -> anyhow::Result<()> { Ok(()) }
    ///
    /// async fn lead(ctx: Context) -> anyhow::Result<()> {
    ///     let lease = Duration::from_secs(15);
    ///     let Some(fuse) = ctx.fuse(FuseInstant::now() + lease, 5, "the lease `purge` runs out")
    ///     else {
    ///         anyhow::bail!("the manager has no hard exit");
    ///     };
    ///     while !ctx.is_cancelled() {
    ///         let sent = FuseInstant::now();
    ///         renew().await?;
    ///         fuse.move_to(sent + lease);
    ///         // work
    ///     }
    ///     Ok(()) // the fuse is dropped: the process lives on
    /// }
    /// ```
    pub fn fuse(&self, at: FuseInstant, code: u8, text: impl Into<String>) -> Option<Fuse> {
        self.0.fuse(at, code, text.into())
    }

    /// Returns the read-only view of the group: its tasks, and the manager's step.
    pub fn group(&self) -> Group {
        self.0.group()
    }

    /// Runs `body` on the calling thread as a part of this task, so that its log lines carry the
    /// task's span, its panics are the task's, and a wait for its own group is refused. Returns
    /// what `body` returns.
    ///
    /// It is for threads that belong to a task, and for each poll of a spawned task that does.
    /// Within the task's own future it is not needed.
    ///
    /// # Panics
    ///
    /// If `body` panics. The task has failed by then, and its group is being stopped, also if the
    /// caller catches the panic. A panic that is to be survived is caught inside of `body`.
    pub fn enter<R>(&self, body: impl FnOnce() -> R) -> R {
        forget_reports();
        let mut body = Some(|| catch_unwind(AssertUnwindSafe(body)));
        let mut result = None;
        Arc::clone(&self.0).enter(&mut || {
            if let Some(body) = body.take() {
                result = Some(body());
            }
        });
        let result = match (result, body) {
            (Some(result), _) => result,
            (None, Some(body)) => body(), // the scope did not run it
            (None, None) => unreachable!("the body has run and left its result"),
        };
        result.unwrap_or_else(|payload| {
            fail_by_panic(&self.0, Panic::of_payload(&*payload));
            resume_unwind(payload)
        })
    }

    /// Fails the task at this instant by a panic of something that belongs to it, and stops the
    /// group: for wrappers, which decide whether the task survives what they run.
    ///
    /// What belongs to a task reports its panics by itself; see [`enter`](Self::enter) and
    /// [`Hold`].
    pub fn fail_by_panic(&self, panic: Panic) {
        Arc::clone(&self.0).fail_by_panic(panic);
    }

    /// Registers children of the task: for wrappers that spawn them. The manager names those that
    /// are alive when it abandons the task or exits hard, counts them in the group's view, and
    /// aborts them with the task. What keeps the task from having ended while they live is a
    /// [`hold`](Self::hold).
    ///
    /// References to what no longer exists are removed in time.
    pub fn add_children(&self, children: Weak<dyn ChildrenView>) {
        self.0.add_children(children);
    }

    /// Fails the task at this instant, and stops its group, if its scope can: for wrappers, which
    /// decide whether the task survives what they run. See [`Scope::fail`].
    ///
    /// # Errors
    ///
    /// The error, if the scope does not take it: then the task's future should return it.
    pub fn fail(&self, error: anyhow::Error) -> Result<(), anyhow::Error> {
        Arc::clone(&self.0).fail(error)
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
