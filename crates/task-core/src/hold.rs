//! What keeps a task from having ended.

use std::{fmt, sync::Arc, thread};

use crate::{
    Panic,
    panics::{forget_reports, is_first_report},
    scope::Scope,
};

/// Keeps a task from having ended for as long as it lives. Returned by
/// [`Context::hold`](crate::Context::hold).
///
/// Give one to each thread or spawned task that belongs to the work of a task. The task's outcome
/// is taken from its own future; only the instant of its end waits for the last hold.
///
/// - When the future has ended, the task's context is cancelled, which asks the holders to end.
/// - If the future failed, the group stops at once, and does not wait for the holds.
/// - At the task's deadline a hold that is still alive makes the task
///   [abandoned](crate::Outcome::Abandoned).
///
/// # Panics of the holder
///
/// A hold that is dropped while its thread unwinds fails the task at that instant, which stops the
/// group: the thread panicked, and nobody else may notice. A panic makes a task fail once, however
/// many holds it drops, and whether or not the task's own future panics with it as well. A
/// `JoinError` that the future returns for it is one failure more: that of the future.
///
/// - A spawned Tokio task that panics drops its future while its thread unwinds, with all holds in
///   it, used or not.
/// - A panic that is caught before it reaches the owner of the hold is not seen, unless it leaves
///   [`Context::enter`](crate::Context::enter) on its way.
/// - A hold that is dropped with something else by a thread that unwinds, such as a runtime with
///   the tasks on it, counts as that thread's.
/// - The text of the panic comes from the process-wide panic hook that a manager installs. Without
///   that hook, only the fact is reported.
///
/// # Paused clocks
///
/// Tokio's paused clock leaps to the next timer when no task is ready, and knows nothing of
/// threads. A thread that keeps a hold therefore has no time to end under it, and its task is
/// abandoned at once; see [`blocking_task`](crate::blocking_task#paused-clocks) for a way out.
///
/// # Leaks
///
/// A hold that is leaked costs the task its whole time to end. One that is taken after
/// the task has ended holds nothing.
///
/// # Examples
///
/// A task that reads on a thread of its own. [`blocking_task`](crate::blocking_task) does this for
/// a task that is nothing but such a thread.
///
/// ```
/// use std::{thread, time::Duration};
/// use task_core::{Context, task_fn};
///
/// let reader = task_fn("reader", async |ctx: Context| {
///     let (hold, thread_ctx) = (ctx.hold(), ctx.clone());
///     thread::spawn(move || {
///         while !thread_ctx.wait_cancelled(Duration::from_millis(50)) {
///             // Read what has come.
///         }
///         drop(hold); // the task may have ended now
///     });
///     ctx.cancelled().await;
///     Ok(())
/// });
/// ```
#[must_use = "the hold is released when dropped"]
pub struct Hold(
    /// `None` once it is released.
    Option<Arc<dyn Scope>>,
);

impl Hold {
    pub(crate) fn new(scope: Arc<dyn Scope>) -> Self {
        forget_reports();
        scope.add_hold();
        Self(Some(scope))
    }

    /// Releases the hold, which is no failure of the task even while the thread unwinds: for
    /// wrappers that decide themselves what a panic of their thread means. Otherwise the same as to
    /// drop it.
    pub fn release(mut self) {
        if let Some(scope) = self.0.take() {
            scope.release_hold();
        }
    }
}

/// Fails a task by a panic of this thread, once for each panic.
pub(crate) fn fail_by_panic(scope: &Arc<dyn Scope>, panic: Panic) {
    if is_first_report(Arc::as_ptr(scope).cast::<()>() as usize) {
        Arc::clone(scope).fail_by_panic(panic);
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let Some(scope) = self.0.take() else { return };
        // Before the release, which may end the task.
        if thread::panicking() {
            fail_by_panic(&scope, Panic::unwinding());
        }
        scope.release_hold();
    }
}

impl fmt::Debug for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.0.as_ref().map_or("released", |scope| scope.name());
        f.debug_tuple("Hold").field(&name).finish()
    }
}
