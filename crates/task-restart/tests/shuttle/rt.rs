//! A clock for shuttle, which leaps.
//!
//! Whenever a timer is looked at, it may be as late as the timer says, or not yet. So a wait can
//! end at any moment between two steps of the others, which no clock would try.

use std::{
    cell::Cell,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use shuttle::{
    rand::{Rng, thread_rng},
    thread,
};

thread_local! {
    /// Shuttle runs everything on one thread of the system, whose clock this is.
    static NOW: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
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

impl Sleep {
    pub(crate) fn reset(mut self: Pin<&mut Self>, at: Instant) {
        self.0 = at.0;
    }
}

pub(crate) fn sleep(duration: Duration) -> Sleep {
    Sleep(NOW.get().saturating_add(duration))
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
