//! The bounded number of messages in flight, and how many of them belong to which partition.

use std::{
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::{Semaphore, SemaphorePermit};

/// A partition: the index of its topic in the settings, and its number.
pub(crate) type Place = (usize, i32);

#[derive(Debug)]
pub(crate) struct Window {
    permits: Semaphore,
    counts: Mutex<Vec<Count>>,
    fell: Condvar,
}

/// Messages in flight of one partition. A member has few enough partitions to look through them.
#[derive(Debug)]
struct Count {
    place: Place,
    messages: usize,
}

/// Messages of one partition that are settled together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) place: Place,
    pub(crate) messages: usize,
    pub(crate) last_offset: i64,
}

impl Window {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            permits: Semaphore::new(capacity.min(Semaphore::MAX_PERMITS)),
            counts: Mutex::default(),
            fell: Condvar::new(),
        }
    }

    /// Waits for room. Cancel safe.
    pub(crate) async fn room(&self) -> SemaphorePermit<'_> {
        self.permits.acquire().await.expect("the semaphore is never closed")
    }

    /// Counts a message as in flight until it is released. One that never is keeps its room: then
    /// nothing more is received, and a rebalance is told that it is still in flight.
    pub(crate) fn admit(&self, room: SemaphorePermit<'_>, place: Place) {
        room.forget();
        let mut counts = self.lock();
        match counts.iter_mut().find(|count| count.place == place) {
            Some(count) => count.messages += 1,
            None => counts.push(Count { place, messages: 1 }),
        }
    }

    /// Makes room again.
    pub(crate) fn release(&self, settled: &[Run]) {
        let mut counts = self.lock();
        for run in settled {
            if let Some(count) = counts.iter_mut().find(|count| count.place == run.place) {
                count.messages -= run.messages;
            }
        }
        counts.retain(|count| count.messages > 0);
        drop(counts);
        self.fell.notify_all();
        self.permits.add_permits(settled.iter().map(|run| run.messages).sum());
    }

    /// Blocks the thread until nothing of these partitions is in flight, at most until `patience`,
    /// asked every 50 ms, is zero. Tells whether nothing is.
    pub(crate) fn wait_settled(
        &self,
        places: &[Place],
        mut patience: impl FnMut() -> Duration,
    ) -> bool {
        let mut counts = self.lock();
        while counts.iter().any(|count| places.contains(&count.place)) {
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

    fn lock(&self) -> MutexGuard<'_, Vec<Count>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sums up messages by partition, in the order of their offsets.
pub(crate) fn runs(messages: impl Iterator<Item = (Place, i64)>) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (place, offset) in messages {
        match runs.iter_mut().find(|run| run.place == place) {
            Some(run) => {
                run.messages += 1;
                run.last_offset = offset;
            }
            None => runs.push(Run { place, messages: 1, last_offset: offset }),
        }
    }
    runs
}

/// Time left until `budget` after now, for [`Window::wait_settled`].
pub(crate) fn countdown(budget: Duration) -> impl FnMut() -> Duration {
    let start = Instant::now();
    move || budget.saturating_sub(start.elapsed())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn a_full_window_has_room_again_when_a_message_is_settled() {
        let window = Window::new(1);
        window.admit(window.room().await, (0, 3));
        assert!(window.permits.try_acquire().is_err());
        window.release(&runs([((0, 3), 7)].into_iter()));
        drop(window.room().await);
    }

    #[tokio::test]
    async fn a_revoked_partition_is_waited_for_and_no_other_is() {
        let window = Arc::new(Window::new(8));
        window.admit(window.room().await, (0, 1));
        assert!(window.wait_settled(&[(0, 0), (1, 1)], || Duration::ZERO));
        assert!(!window.wait_settled(&[(0, 1)], || Duration::ZERO));
        let waiter = std::thread::spawn({
            let window = Arc::clone(&window);
            move || window.wait_settled(&[(0, 1)], countdown(Duration::from_secs(30)))
        });
        window.release(&runs([((0, 1), 7)].into_iter()));
        assert!(waiter.join().unwrap());
    }

    #[test]
    fn messages_are_summed_up_by_partition() {
        let messages = [((0, 1), 5), ((0, 2), 9), ((0, 1), 6), ((1, 1), 5)];
        let run = |place, messages, last_offset| Run { place, messages, last_offset };
        let expected = [run((0, 1), 2, 6), run((0, 2), 1, 9), run((1, 1), 1, 5)];
        assert_eq!(runs(messages.into_iter()), expected);
    }
}
