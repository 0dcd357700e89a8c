//! What keeps a task from having ended.

use std::{fmt, sync::Arc};

use crate::scope::Scope;

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
/// A hold that is leaked therefore costs the task its whole time to end. One that is taken after
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
pub struct Hold(Arc<dyn Scope>);

impl Hold {
    pub(crate) fn new(scope: Arc<dyn Scope>) -> Self {
        scope.add_hold();
        Self(scope)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        Arc::clone(&self.0).release_hold();
    }
}

impl fmt::Debug for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Hold").field(&self.0.name()).finish()
    }
}
