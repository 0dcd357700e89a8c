//! What a task does when it is admitted, before its future is polled.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, ThreadId},
};

use task_manager::{Context, Manager, Outcome, Task};

/// A task that panics when it is admitted, and says when it is dropped.
struct PanicsWhenAdmitted(Arc<AtomicBool>);

impl Task for PanicsWhenAdmitted {
    fn admitted(&mut self, _: &Context) {
        panic!("no listener");
    }

    async fn run(self, _: Context) -> anyhow::Result<()> {
        unreachable!("it did not get this far")
    }
}

impl Drop for PanicsWhenAdmitted {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Invariant 1.
#[tokio::test]
async fn a_panic_in_admitted_is_the_panic_of_the_task_and_the_task_is_dropped() {
    let manager = Manager::new();
    let is_dropped = Arc::new(AtomicBool::new(false));
    let handle = manager.run(PanicsWhenAdmitted(Arc::clone(&is_dropped))).unwrap();
    let error = manager.wait().await.unwrap_err();
    assert_eq!(handle.outcome(), Some(Outcome::Panicked));
    assert!(error.to_string().contains("no listener"), "{error}");
    assert!(is_dropped.load(Ordering::SeqCst));
}

/// Records on which thread it was admitted.
struct Admitted(Arc<Mutex<Option<ThreadId>>>);

impl Task for Admitted {
    fn admitted(&mut self, ctx: &Context) {
        *self.0.lock().unwrap() = Some(thread::current().id());
        ctx.request_stop("admitted");
    }

    async fn run(self, _: Context) -> anyhow::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn admitted_is_called_on_the_thread_that_runs_the_task_before_its_future_is_polled() {
    let manager = Manager::new();
    let thread = Arc::new(Mutex::new(None));
    let task = Admitted(Arc::clone(&thread)).named("a").boxed();
    let handle = manager.run(task).unwrap();
    assert_eq!(*thread.lock().unwrap(), Some(thread::current().id()));
    let report = manager.wait().await.unwrap();
    assert_eq!(handle.outcome(), Some(Outcome::Completed));
    assert!(report.cause().to_string().contains("admitted"), "{}", report.cause());
}
