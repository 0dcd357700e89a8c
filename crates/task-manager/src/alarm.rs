//! When the manager has to look at its state again, and the tokio task that then does.
//!
//! The task exists from the first deadline on, so an idle service has no timer of ours. Beside it the deadline thread
//! (`watch.rs`) keeps the same deadlines for the case that the runtime is blocked.

use std::{
    future::poll_fn,
    pin::pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
};

use task_core::Level;

use crate::{plan::Tick, shared::Shared, watch};

#[derive(Default)]
pub(crate) struct Alarm {
    due: Mutex<Option<Tick>>,
    changed: Level,
    is_running: AtomicBool,
}

impl Alarm {
    /// Sets the next deadline; returns whether it differs. Called under the manager's lock, so that an older deadline
    /// never overwrites a newer one.
    pub(crate) fn set(&self, due: Option<Tick>) -> bool {
        let mut known = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *known, due) != due
    }

    pub(crate) fn due(&self) -> Option<Tick> {
        *self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the change of a deadline known. Called outside the manager's lock.
    pub(crate) fn ring(&self, shared: &Arc<Shared>) {
        if self.due().is_some() && !self.is_running.swap(true, Ordering::SeqCst) {
            if let Some(clock) = shared.clock.get() {
                clock.handle().spawn(run(Arc::clone(shared)));
            }
            watch::register(shared);
        }
        self.changed.bump();
        watch::nudge();
    }
}

/// Drives the manager at each deadline until its report is made.
async fn run(shared: Arc<Shared>) {
    let Some(clock) = shared.clock.get() else { return };
    loop {
        let seen = shared.alarm.changed.get();
        if shared.report.get().is_some() {
            return;
        }
        let mut changed = shared.alarm.changed.reached(seen + 1);
        let mut sleep = pin!(
            shared.alarm.due().and_then(|due| clock.instant(due)).map(tokio::time::sleep_until)
        );
        poll_fn(|cx| {
            if pin!(&mut changed).poll(cx).is_ready() {
                return Poll::Ready(());
            }
            sleep.as_mut().as_pin_mut().map_or(Poll::Pending, |sleep| sleep.poll(cx))
        })
        .await;
        shared.drive(shared.lock(), Vec::new());
    }
}
