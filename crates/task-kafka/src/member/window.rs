//! The window: the messages in flight, shared between the receive loop, the workers, the settler
//! and the rebalance callbacks.

use std::{
    future::Future,
    sync::{
        Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use rdkafka::message::{BorrowedMessage, Message as _, OwnedMessage};
use tokio::sync::{Notify, watch};

use super::ledger::{Ledger, Room, Settled, Ticket, TopicPartition};
use crate::Order;

/// The longest time between two checks of the time that [`Window::wait_settled`] has left.
const CHECK_INTERVAL: Duration = Duration::from_millis(50);

/// The messages in flight: received, and their offsets not yet stored.
#[derive(Debug)]
pub(crate) struct Window {
    ledger: Mutex<Ledger<OwnedMessage>>,
    /// Wakes the threads that wait for settled messages.
    settled: Condvar,
    /// Wakes the one that waits for room, or for the last message to be finished.
    progress: Notify,
    /// Wakes one worker.
    ready: Notify,
    /// The number of revocations, which is read for each message.
    revocations: AtomicU64,
    /// Wakes those whose partition may have been revoked.
    revoked: watch::Sender<()>,
    /// Whether nothing more is admitted.
    stopping: watch::Sender<bool>,
}

impl Window {
    pub(crate) fn new(order: Order, limits: Room) -> Self {
        Self {
            ledger: Mutex::new(Ledger::new(order, limits)),
            settled: Condvar::new(),
            progress: Notify::new(),
            ready: Notify::new(),
            revocations: AtomicU64::new(0),
            revoked: watch::Sender::new(()),
            stopping: watch::Sender::new(false),
        }
    }

    /// Waits until another message may be in flight. The receive loop alone may wait.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub(crate) async fn room(&self) {
        self.until(Ledger::has_room).await;
    }

    /// Waits until at most half of the window is used.
    pub(crate) async fn half_its_room(&self) {
        self.until(Ledger::has_half_its_room).await;
    }

    /// Waits until every admitted message is finished or abandoned.
    pub(crate) async fn finished(&self) {
        self.until(|ledger| ledger.unfinished() == 0).await;
    }

    /// Returns how often partitions were revoked.
    pub(crate) fn revocations(&self) -> u64 {
        self.revocations.load(Relaxed)
    }

    /// Returns whether a partition was revoked after there had been this many revocations.
    pub(crate) fn is_revoked_since(&self, partition: TopicPartition, revocations: u64) -> bool {
        self.lock().is_revoked_since(partition, revocations)
    }

    /// Waits until a partition was revoked after there had been this many revocations.
    pub(crate) async fn revoked_since(&self, partition: TopicPartition, revocations: u64) {
        let mut revoked = self.revoked.subscribe();
        while !self.is_revoked_since(partition, revocations) {
            // The sender is in `self`.
            let _ = revoked.changed().await;
        }
    }

    /// Waits until a message that was started is revoked.
    pub(crate) async fn revoked(&self, ticket: Ticket) {
        let mut revoked = self.revoked.subscribe();
        while self.lock().is_current(ticket) {
            let _ = revoked.changed().await;
        }
    }

    /// Waits until nothing more is admitted.
    pub(crate) fn stopping(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut stopping = self.stopping.subscribe();
        async move { _ = stopping.wait_for(|&stopping| stopping).await }
    }

    /// Admits a message for the workers. Returns whether there is room for another one.
    pub(crate) fn admit(&self, partition: TopicPartition, message: &BorrowedMessage<'_>) -> bool {
        let (offset, key) = (message.offset(), message.key());
        let bytes = message.payload_len() + message.key_len();
        let owned = message.detach();
        let mut ledger = self.lock();
        ledger.admit(partition, offset, key, bytes, owned);
        let has_room = ledger.has_room();
        drop(ledger);
        self.ready.notify_one();
        has_room
    }

    /// Admits a message that was transformed and sent already, of which this many bytes are kept.
    /// Returns whether there is room for another one.
    pub(crate) fn admit_finished(
        &self,
        partition: TopicPartition,
        offset: i64,
        bytes: usize,
        revocations: u64,
    ) -> (Ticket, bool) {
        let mut ledger = self.lock();
        let ticket = ledger.admit_finished(partition, offset, bytes, revocations);
        (ticket, ledger.has_room())
    }

    /// Waits until there is a message to transform.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a message is started by the last poll, which returns it.
    pub(crate) async fn start(&self) -> (Ticket, OwnedMessage) {
        loop {
            let (started, is_more) = {
                let mut ledger = self.lock();
                (ledger.start(), ledger.has_ready())
            };
            if is_more {
                // A call of `notify_one` while nobody waits is remembered once only, so each worker
                // that starts a message wakes the next one.
                self.ready.notify_one();
            }
            match started {
                Some(started) => return started,
                None => self.ready.notified().await,
            }
        }
    }

    /// Notes that a message was transformed, and its records sent.
    pub(crate) fn finish(&self, ticket: Ticket) {
        self.end(|ledger| ledger.finish(ticket));
    }

    /// Notes that a message will not be finished.
    pub(crate) fn abandon(&self, ticket: Ticket) {
        self.end(|ledger| ledger.abandon(ticket));
    }

    /// Settles messages, has the offsets that may be stored now stored, and makes room. Returns how
    /// many messages were stored, and how many are read again because their partition was revoked.
    ///
    /// `store` is called under the lock: after a revocation no offset is stored for it.
    pub(crate) fn settle(
        &self,
        done: impl Iterator<Item = Ticket>,
        store: impl FnMut(&Settled),
    ) -> (usize, usize) {
        let mut ledger = self.lock();
        let (settled, stale) = ledger.settle(done);
        settled.iter().for_each(store);
        drop(ledger);
        self.settled.notify_all();
        self.progress.notify_one();
        (settled.iter().map(|settled| settled.messages).sum(), stale)
    }

    /// Drops what need not be transformed before these partitions are revoked.
    pub(crate) fn trim(&self, partitions: &[TopicPartition]) {
        self.end(|ledger| ledger.trim(partitions));
    }

    /// Admits nothing more, and drops what need not be transformed before a stop.
    pub(crate) fn stop(&self) {
        self.end(Ledger::stop);
        self.stopping.send_replace(true);
    }

    /// Forgets the messages of revoked partitions, and returns how many of them were settled, and
    /// are read again nevertheless. The transforms that work on one are dropped.
    pub(crate) fn revoke(&self, partitions: &[TopicPartition]) -> usize {
        let settled = self.end(|ledger| {
            let settled = ledger.revoke(partitions);
            self.revocations.store(ledger.revocations(), Relaxed);
            settled
        });
        self.revoked.send_replace(());
        settled
    }

    /// Forgets all messages.
    pub(crate) fn clear(&self) {
        self.end(|ledger| {
            ledger.clear();
            self.revocations.store(ledger.revocations(), Relaxed);
        });
        self.revoked.send_replace(());
    }

    /// Returns the offset after the last message of each partition, or `None` if a message was not
    /// finished.
    pub(crate) fn next_offsets(&self) -> Option<Vec<(TopicPartition, i64)>> {
        self.lock().next_offsets()
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
        let mut ledger = self.lock();
        while !ledger.is_settled(partitions) {
            let left = remaining();
            if left.is_zero() {
                return false;
            }
            let guard = self.settled.wait_timeout(ledger, left.min(CHECK_INTERVAL));
            ledger = guard.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    async fn until(&self, holds: impl Fn(&Ledger<OwnedMessage>) -> bool) {
        while !holds(&self.lock()) {
            // One that came before this call is remembered.
            self.progress.notified().await;
        }
    }

    /// Does what may let a message be started, or end the wait for the last one.
    fn end<R>(&self, act: impl FnOnce(&mut Ledger<OwnedMessage>) -> R) -> R {
        let mut ledger = self.lock();
        let result = act(&mut ledger);
        let (is_ready, is_waited_for) =
            (ledger.has_ready(), ledger.unfinished() == 0 || ledger.has_room());
        drop(ledger);
        if is_ready {
            self.ready.notify_one();
        }
        if is_waited_for {
            self.progress.notify_one();
        }
        self.settled.notify_all();
        result
    }

    fn lock(&self) -> MutexGuard<'_, Ledger<OwnedMessage>> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
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

    fn window(messages: usize) -> Window {
        Window::new(Order::Key, Room { messages, bytes: usize::MAX })
    }

    #[tokio::test]
    async fn a_full_window_has_room_again_when_a_message_is_settled() {
        let window = window(1);
        let (ticket, has_room) = window.admit_finished((0, 3), 7, 0, 0);
        assert!(!has_room);
        let waiting = tokio::time::timeout(Duration::from_millis(1), window.room());
        assert!(waiting.await.is_err());
        let mut stored = Vec::new();
        let store = |settled: &Settled| stored.push((settled.partition, settled.last_offset));
        assert_eq!(window.settle([ticket].into_iter(), store), (1, 0));
        assert_eq!(stored, [((0, 3), 7)]);
        window.room().await;
    }

    #[tokio::test]
    async fn the_bytes_of_what_is_kept_fill_the_window_until_it_is_settled() {
        let window = Window::new(Order::Key, Room { messages: 8, bytes: 10 });
        let (first, has_room) = window.admit_finished((0, 3), 7, 6, 0);
        assert!(has_room);
        let (_, has_room) = window.admit_finished((0, 3), 8, 6, 0);
        assert!(!has_room);
        assert_eq!(window.settle([first].into_iter(), |_| ()), (1, 0));
        window.room().await;
    }

    #[tokio::test]
    async fn wait_settled_waits_for_the_given_partitions_alone() {
        let window = Arc::new(window(8));
        let (ticket, _) = window.admit_finished((0, 1), 7, 0, 0);
        assert!(window.wait_settled(&[(0, 0), (1, 1)], || Duration::ZERO));
        assert!(!window.wait_settled(&[(0, 1)], || Duration::ZERO));
        let waiter = std::thread::spawn({
            let window = Arc::clone(&window);
            move || window.wait_settled(&[(0, 1)], countdown(Duration::from_secs(30)))
        });
        window.settle([ticket].into_iter(), |_| ());
        assert!(waiter.join().unwrap());
    }

    #[tokio::test]
    async fn a_message_that_was_received_before_a_revocation_is_not_stored_after_it() {
        let window = window(8);
        let before = window.revocations();
        let (early, _) = window.admit_finished((0, 1), 7, 0, before);
        assert_eq!(window.revoke(&[(0, 1)]), 0);
        window.revoked_since((0, 1), before).await;
        let (late, _) = window.admit_finished((0, 1), 8, 0, before);
        let store = |_: &Settled| panic!("stored");
        assert_eq!(window.settle([early, late].into_iter(), store), (0, 2));
    }
}
