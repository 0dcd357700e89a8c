//! The window: the bounded number of messages in flight, counted by partition.

use std::{
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::{Semaphore, SemaphorePermit};

/// A partition: the index of its topic in the settings, and its number.
pub(crate) type TopicPartition = (usize, i32);

/// The longest time between two checks of the time that [`Window::wait_settled`] has left.
const CHECK_INTERVAL: Duration = Duration::from_millis(50);

/// The messages in flight: received, and not yet settled.
#[derive(Debug)]
pub(crate) struct Window {
    permits: Semaphore,
    counts: Mutex<Vec<Count>>,
    released: Condvar,
}

/// The messages in flight of one partition. A member has few enough partitions for a linear search.
#[derive(Debug)]
struct Count {
    partition: TopicPartition,
    messages: usize,
}

/// Messages of one partition that were settled together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Settled {
    pub(crate) partition: TopicPartition,
    pub(crate) messages: usize,
    pub(crate) last_offset: i64,
}

impl Window {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            permits: Semaphore::new(capacity.min(Semaphore::MAX_PERMITS)),
            counts: Mutex::default(),
            released: Condvar::new(),
        }
    }

    /// Waits until another message may be in flight.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: dropping the future or the permit returns the permit.
    pub(crate) async fn acquire(&self) -> SemaphorePermit<'_> {
        self.permits.acquire().await.expect("the semaphore is never closed")
    }

    /// Counts a message as in flight until it is released.
    ///
    /// A message that is never released keeps its permit; when all do, nothing more is received,
    /// and a rebalance reports the messages as still in flight.
    pub(crate) fn admit(&self, permit: SemaphorePermit<'_>, partition: TopicPartition) {
        permit.forget();
        let mut counts = self.lock();
        match counts.iter_mut().find(|count| count.partition == partition) {
            Some(count) => count.messages += 1,
            None => counts.push(Count { partition, messages: 1 }),
        }
    }

    /// Releases settled messages, wakes those that wait, and returns the permits.
    pub(crate) fn release(&self, settled: &[Settled]) {
        let mut counts = self.lock();
        for settled in settled {
            if let Some(count) = counts.iter_mut().find(|it| it.partition == settled.partition) {
                count.messages -= settled.messages;
            }
        }
        counts.retain(|count| count.messages > 0);
        drop(counts);
        self.released.notify_all();
        self.permits.add_permits(settled.iter().map(|settled| settled.messages).sum());
    }

    /// Blocks the thread until no message of these partitions is in flight, and returns whether
    /// that is so.
    ///
    /// `remaining` returns the time that is left. It is called at least every 50 ms, so that a stop
    /// can shorten the wait; zero ends it.
    pub(crate) fn wait_settled(
        &self,
        partitions: &[TopicPartition],
        mut remaining: impl FnMut() -> Duration,
    ) -> bool {
        let mut counts = self.lock();
        while counts.iter().any(|count| partitions.contains(&count.partition)) {
            let left = remaining();
            if left.is_zero() {
                return false;
            }
            let guard = self.released.wait_timeout(counts, left.min(CHECK_INTERVAL));
            counts = guard.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Count>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sums up messages by partition. Those of one partition come in the order of their offsets.
pub(crate) fn settled_by_partition(
    messages: impl Iterator<Item = (TopicPartition, i64)>,
) -> Vec<Settled> {
    let mut all: Vec<Settled> = Vec::new();
    for (partition, offset) in messages {
        match all.iter_mut().find(|settled| settled.partition == partition) {
            Some(settled) => {
                settled.messages += 1;
                settled.last_offset = offset;
            }
            None => all.push(Settled { partition, messages: 1, last_offset: offset }),
        }
    }
    all
}

/// Returns a function that counts `timeout` down from now, for [`Window::wait_settled`].
pub(super) fn countdown(timeout: Duration) -> impl FnMut() -> Duration {
    let start = Instant::now();
    move || timeout.saturating_sub(start.elapsed())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn a_full_window_admits_another_message_when_one_is_settled() {
        let window = Window::new(1);
        window.admit(window.acquire().await, (0, 3));
        assert!(window.permits.try_acquire().is_err());
        window.release(&settled_by_partition([((0, 3), 7)].into_iter()));
        drop(window.acquire().await);
    }

    #[tokio::test]
    async fn wait_settled_waits_for_the_given_partitions_alone() {
        let window = Arc::new(Window::new(8));
        window.admit(window.acquire().await, (0, 1));
        assert!(window.wait_settled(&[(0, 0), (1, 1)], || Duration::ZERO));
        assert!(!window.wait_settled(&[(0, 1)], || Duration::ZERO));
        let waiter = std::thread::spawn({
            let window = Arc::clone(&window);
            move || window.wait_settled(&[(0, 1)], countdown(Duration::from_secs(30)))
        });
        window.release(&settled_by_partition([((0, 1), 7)].into_iter()));
        assert!(waiter.join().unwrap());
    }

    #[test]
    fn messages_are_summed_up_by_partition() {
        let messages = [((0, 1), 5), ((0, 2), 9), ((0, 1), 6), ((1, 1), 5)];
        let settled =
            |partition, messages, last_offset| Settled { partition, messages, last_offset };
        let expected = [settled((0, 1), 2, 6), settled((0, 2), 1, 9), settled((1, 1), 1, 5)];
        assert_eq!(settled_by_partition(messages.into_iter()), expected);
    }
}
