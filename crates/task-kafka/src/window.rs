//! The bounded number of messages in flight, and how many of them belong to which partition.

use std::{
    collections::HashMap,
    sync::{Arc, Condvar, Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A partition: the index of its topic in the settings, and its number.
pub(crate) type Place = (usize, i32);

#[derive(Debug)]
pub(crate) struct Window {
    permits: Arc<Semaphore>,
    /// Messages in flight by partition; without those at zero.
    counts: Mutex<HashMap<Place, usize>>,
    fell: Condvar,
}

impl Window {
    pub(crate) fn new(capacity: usize) -> Arc<Self> {
        Arc::new(Self {
            permits: Arc::new(Semaphore::new(capacity.min(Semaphore::MAX_PERMITS))),
            counts: Mutex::default(),
            fell: Condvar::new(),
        })
    }

    /// Waits for room. Cancel safe.
    pub(crate) async fn room(&self) -> OwnedSemaphorePermit {
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        permit.expect("the semaphore is never closed")
    }

    /// Counts a message as in flight until the returned value is dropped.
    pub(crate) fn admit(self: &Arc<Self>, room: OwnedSemaphorePermit, place: Place) -> InFlight {
        *self.lock().entry(place).or_default() += 1;
        InFlight { place, window: Arc::clone(self), _room: room }
    }

    /// Blocks the thread until nothing of these partitions is in flight, at most until `patience`, asked every 50 ms,
    /// is zero. Tells whether nothing is.
    pub(crate) fn wait_settled(
        &self,
        places: &[Place],
        mut patience: impl FnMut() -> Duration,
    ) -> bool {
        let mut counts = self.lock();
        while places.iter().any(|place| counts.contains_key(place)) {
            let left = patience();
            if left.is_zero() {
                return false;
            }
            let slice = left.min(Duration::from_millis(50));
            let guard = self.fell.wait_timeout(counts, slice);
            counts = guard.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Place, usize>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Time left until `budget` after now, for [`Window::wait_settled`].
pub(crate) fn countdown(budget: Duration) -> impl FnMut() -> Duration {
    let start = Instant::now();
    move || budget.saturating_sub(start.elapsed())
}

/// One message in flight.
#[derive(Debug)]
pub(crate) struct InFlight {
    pub(crate) place: Place,
    window: Arc<Window>,
    _room: OwnedSemaphorePermit,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let mut counts = self.window.lock();
        if let Some(count) = counts.get_mut(&self.place) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.place);
                self.window.fell.notify_all();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[tokio::test]
    async fn a_full_window_has_room_again_when_a_message_is_settled() {
        let window = Window::new(1);
        let first = window.admit(window.room().await, (0, 3));
        assert!(window.permits.clone().try_acquire_owned().is_err());
        drop(first);
        drop(window.room().await);
    }

    #[tokio::test]
    async fn a_revoked_partition_is_waited_for_and_no_other_is() {
        let window = Window::new(8);
        let other = window.admit(window.room().await, (0, 1));
        assert!(window.wait_settled(&[(0, 0), (1, 1)], || Duration::ZERO));
        assert!(!window.wait_settled(&[(0, 1)], || Duration::ZERO));
        let waiter = std::thread::spawn({
            let window = Arc::clone(&window);
            move || window.wait_settled(&[(0, 1)], countdown(Duration::from_secs(30)))
        });
        drop(other);
        assert!(waiter.join().unwrap());
    }
}
