//! A runtime for shuttle: its tasks are shuttle's, and its clock leaps.
//!
//! Whenever a timer is looked at, it may be as late as the timer says, or not yet. So a deadline
//! can pass at any moment between two steps of the others, which no clock would try.

use std::{
    cell::Cell,
    convert::Infallible,
    mem::ManuallyDrop,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use shuttle::{
    future,
    rand::{Rng, thread_rng},
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

thread_local! {
    /// Shuttle runs everything on one thread of the system, whose clock this is.
    static NOW: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

#[derive(Clone)]
pub(crate) struct Handle;

/// Left by `enter`; shuttle's tasks need no runtime to be entered.
pub(crate) struct Entered;

impl Handle {
    pub(crate) fn try_current() -> Result<Self, Infallible> {
        Ok(Self)
    }

    pub(crate) fn id(&self) {}

    pub(crate) fn enter(&self) -> Entered {
        Entered
    }

    pub(crate) fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let join = JoinHandle(ManuallyDrop::new(future::spawn(future)));
        // Shuttle changes tasks only here and there: the new one may have its turn before its
        // handle is known.
        AtomicBool::new(false).load(Ordering::SeqCst);
        join
    }
}

/// Never dropped, since that would detach the task, and a schedule ends without those that are
/// detached. So a task that is left behind shows as a deadlock.
pub(crate) struct JoinHandle<T>(ManuallyDrop<future::JoinHandle<T>>);

impl<T> JoinHandle<T> {
    pub(crate) fn abort(&self) {
        self.0.abort();
    }
}

#[derive(Clone, Copy)]
pub(crate) struct Instant(Duration);

impl Instant {
    pub(crate) fn now() -> Self {
        Self(NOW.get())
    }

    pub(crate) fn checked_add(self, duration: Duration) -> Option<Self> {
        self.0.checked_add(duration).map(Self)
    }

    pub(crate) fn saturating_duration_since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

pub(crate) struct Sleep(Duration);

pub(crate) fn sleep(duration: Duration) -> Sleep {
    Sleep(NOW.get().saturating_add(duration))
}

pub(crate) fn sleep_until(deadline: Instant) -> Sleep {
    Sleep(deadline.0)
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if NOW.get() < self.0 && thread_rng().r#gen() {
            cx.waker().wake_by_ref();
            thread::yield_now();
            return Poll::Pending;
        }
        NOW.set(NOW.get().max(self.0));
        Poll::Ready(())
    }
}
