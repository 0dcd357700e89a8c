//! A scope that records, for a task that a test runs by itself.

use std::{fmt, sync::Arc, time::Duration};

use task_core::{Context, scope::Scope as _};

use crate::{
    event::{Event, EventKind},
    recorder::Recorder,
};

/// A scope that stands in for a manager and records what its task reports, each with its time.
///
/// [`TestRun`](crate::TestRun) runs a task under one and judges its end, and has these methods,
/// too. A scope by itself is for a test that holds the future of the task, or only a context.
///
/// A request of the task to stop its group cancels it, as a group would without a drain. Its view
/// of the group is empty.
///
/// It is cheap to clone. Times are those of Tokio's clock, as time since the scope was made, or of
/// the system's clock if it was made outside of a runtime.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use task_core::{Task, task_fn};
/// use task_testkit::{TestScope, paused};
/// use tokio::{join, time::sleep};
///
/// paused(async {
///     let scope = TestScope::new("worker");
///     let worker = task_fn("worker", async |ctx| {
///         ctx.set_ready(true);
///         ctx.cancelled().await;
///         Ok(())
///     });
///     let stop = async {
///         sleep(Duration::from_secs(7)).await;
///         scope.cancel();
///     };
///     let (result, ()) = join!(worker.run(scope.context()), stop);
///     result.unwrap();
///     assert_eq!(scope.readiness(), [true]);
/// });
/// ```
#[derive(Clone)]
pub struct TestScope(pub(crate) Arc<Recorder>);

impl TestScope {
    /// Creates a scope for a task of this name.
    pub fn new(name: &str) -> Self {
        Self(Arc::new(Recorder::new(name)))
    }

    /// Returns a context for the task.
    pub fn context(&self) -> Context {
        Context::new(self.0.clone())
    }

    /// Returns the task's name.
    pub fn name(&self) -> &str {
        self.0.name()
    }

    /// Returns whether the task has set itself ready.
    pub fn is_ready(&self) -> bool {
        self.0.is_ready()
    }

    /// Returns the task's last status; `None` if it has none.
    pub fn status(&self) -> Option<String> {
        self.0.status()
    }

    /// Returns what happened so far, in order: at most 65,536 events.
    pub fn events(&self) -> Vec<Event> {
        self.0.events()
    }

    /// Returns how many events came after those in [`events`](Self::events).
    pub fn omitted_events(&self) -> u64 {
        self.0.omitted()
    }

    /// Returns every status that the task has set, in order; of the first 65,536 events.
    pub fn statuses(&self) -> Vec<String> {
        self.select(|kind| match kind {
            EventKind::Status(status) => Some(status),
            _ => None,
        })
    }

    /// Returns the texts of the failures that the task has recorded, in order; of the first 65,536
    /// events.
    pub fn failures(&self) -> Vec<String> {
        self.select(|kind| match kind {
            EventKind::Failure(text) => Some(text),
            _ => None,
        })
    }

    /// Returns every value that the task has given `set_ready`, in order; of the first 65,536
    /// events.
    pub fn readiness(&self) -> Vec<bool> {
        self.select(|kind| match kind {
            EventKind::Ready(ready) => Some(ready),
            _ => None,
        })
    }

    fn select<T>(&self, of: impl FnMut(EventKind) -> Option<T>) -> Vec<T> {
        self.events().into_iter().map(|event| event.kind).filter_map(of).collect()
    }

    /// Begins a drain: the task sees that its group is no longer ready. Does nothing once the task
    /// drains or is cancelled.
    pub fn drain(&self) {
        self.0.drain();
    }

    /// Cancels the task, without a limit of time. Does nothing if it is cancelled.
    pub fn cancel(&self) {
        self.0.cancel(None, None);
    }

    /// Cancels the task, whose [`remaining`](Context::remaining) then counts down from `limit`. Of
    /// several limits the earliest holds. A [`TestRun`](crate::TestRun) aborts its task at the end
    /// of that, to the millisecond.
    pub fn cancel_within(&self, limit: Duration) {
        self.0.cancel(Some(limit), None);
    }
}

impl fmt::Debug for TestScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut scope = f.debug_struct("TestScope");
        scope.field("name", &self.name()).field("events", &self.events()).finish_non_exhaustive()
    }
}
