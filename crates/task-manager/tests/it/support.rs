//! Tasks and helpers that many tests use.

use std::{
    pin::pin,
    sync::{Arc, Mutex},
    task::{self, Waker},
    time::Duration,
};

use task_manager::{Context, Hold, Manager, Task, task_fn};
use tokio::runtime::{Builder, Runtime};

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// Records events in order.
#[derive(Clone, Default)]
pub(crate) struct Journal(Arc<Mutex<Vec<String>>>);

impl Journal {
    pub(crate) fn note(&self, what: impl Into<String>) {
        self.0.lock().unwrap().push(what.into());
    }

    pub(crate) fn read(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

/// Makes a group ready whose gating tasks are, if it has any: its first wait is polled.
pub(crate) fn begin_wait(manager: &Manager) {
    let mut wait = pin!(manager.wait());
    assert!(wait.as_mut().poll(&mut task::Context::from_waker(Waker::noop())).is_pending());
}

/// Works until it is stopped.
pub(crate) fn worker(name: &'static str) -> impl Task {
    task_fn(name, async |ctx: Context| {
        ctx.cancelled().await;
        Ok(())
    })
}

/// Ignores cancellation.
pub(crate) fn unresponsive(name: &'static str) -> impl Task {
    task_fn(name, async |_| {
        std::future::pending::<()>().await;
        Ok(())
    })
}

/// Works until it is stopped, and then takes this long to end.
pub(crate) fn slow(name: &'static str, takes: Duration, journal: &Journal) -> impl Task {
    let journal = journal.clone();
    task_fn(name, async move |ctx: Context| {
        ctx.cancelled().await;
        journal.note(format!("{name} stopping"));
        tokio::time::sleep(takes).await;
        journal.note(format!("{name} ended"));
        Ok(())
    })
}

/// Holds that are kept until the end of the test: their tasks cannot end in time. They are not
/// leaked, since an intended leak would hide an unintended one.
#[derive(Clone, Default)]
pub(crate) struct KeptHolds(Arc<Mutex<Vec<Hold>>>);

impl KeptHolds {
    pub(crate) fn keep(&self, ctx: &Context) {
        self.0.lock().unwrap().push(ctx.hold());
    }

    /// Drops the holds.
    pub(crate) fn release(&self) {
        self.0.lock().unwrap().clear();
    }
}

/// A multi-thread runtime.
pub(crate) fn workers(count: usize) -> Runtime {
    Builder::new_multi_thread().worker_threads(count).enable_all().build().unwrap()
}
