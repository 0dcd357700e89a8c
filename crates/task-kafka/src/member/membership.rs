//! The callbacks of the consumer: what happens when partitions are assigned and revoked.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    mem,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use anyhow::{Context as _, ensure};
use rdkafka::{
    ClientContext, Statistics, TopicPartitionList,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, Consumer as _, ConsumerContext, Rebalance},
    error::{KafkaError as NativeError, KafkaResult},
};
use task_core::Context;
use tokio::{
    runtime::{Handle, RuntimeFlavor},
    sync::watch,
    task::block_in_place,
};

use super::{
    Consumer, TopicPartition, Window, commit::commit_blocking, lag::Lags, window::countdown,
};
use crate::{
    Counters, KafkaSettings,
    counters::Cells,
    log::{Throttle, log},
};

/// Membership in the consumer group: the state that the consumer's callbacks use.
///
/// The callbacks run on the thread that polls the consumer: in the receive loop, or on the thread
/// that closes it.
pub(crate) struct Membership {
    topics: Vec<String>,
    revoke_timeout: Duration,
    stop_timeout: Duration,
    window: Arc<Window>,
    counters: Counters,
    lags: Lags,
    /// Set when the task runs.
    ctx: OnceLock<Context>,
    /// Weak, because the consumer owns this value.
    consumer: OnceLock<Weak<Consumer>>,
    /// Whether the receive loop has ended.
    is_stopping: AtomicBool,
    /// Whether the consumer is being closed.
    is_closing: AtomicBool,
    readiness: Mutex<Readiness>,
    /// How often the group has given this member partitions, or made it a standby.
    assignments: AtomicU64,
    /// Whether all assigned partitions are paused, because the task cannot take messages. Changed
    /// on the thread that polls the consumer alone.
    is_paused: AtomicBool,
    /// Whether offsets are committed with transactions, and never here.
    is_transactional: bool,
    revocations: watch::Sender<u64>,
    /// The number of the last revocation of each partition that was revoked.
    revoked: Mutex<BTreeMap<TopicPartition, u64>>,
    /// Whether offsets were stored since the last commit.
    has_stored: AtomicBool,
    pub(crate) errors: Throttle,
}

/// What the readiness of the task depends on.
#[derive(Debug, Default)]
struct Readiness {
    is_assigned: bool,
    is_stalled: bool,
}

impl Membership {
    pub(crate) fn new(settings: &KafkaSettings, window: Arc<Window>, counters: Counters) -> Self {
        Self {
            topics: settings.topics.clone(),
            revoke_timeout: settings.revoke_timeout,
            stop_timeout: settings.stop_timeout,
            window,
            counters,
            lags: Lags::new(settings.transactional_id.is_some()),
            ctx: OnceLock::new(),
            consumer: OnceLock::new(),
            is_stopping: AtomicBool::new(false),
            is_closing: AtomicBool::new(false),
            readiness: Mutex::default(),
            assignments: AtomicU64::new(0),
            is_paused: AtomicBool::new(false),
            is_transactional: settings.transactional_id.is_some(),
            revocations: watch::Sender::new(0),
            revoked: Mutex::default(),
            has_stored: AtomicBool::new(false),
            errors: Throttle::default(),
        }
    }

    /// Sets the context of the task. Only the first call has an effect.
    pub(crate) fn set_context(&self, ctx: Context) {
        let _ = self.ctx.set(ctx);
    }

    /// Sets the consumer whose callbacks these are.
    pub(super) fn set_consumer(&self, consumer: &Arc<Consumer>) {
        let _ = self.consumer.set(Arc::downgrade(consumer));
    }

    /// Notes that the receive loop has ended. From then on the task sets its status, and not the
    /// statistics callback.
    pub(crate) fn begin_stop(&self) {
        self.is_stopping.store(true, Relaxed);
    }

    /// Returns whether the task ends: its lag and its status are nobody's business any more.
    pub(super) fn is_stopping(&self) -> bool {
        self.is_stopping.load(Relaxed) || self.ctx.get().is_some_and(Context::is_cancelled)
    }

    /// Notes that the consumer is being closed. From then on a revocation waits for nothing: the
    /// messages in flight were settled, or abandoned.
    pub(super) fn begin_close(&self) {
        self.is_closing.store(true, Relaxed);
    }

    /// Returns the key of a partition in the window.
    pub(crate) fn partition(&self, topic: &str, number: i32) -> TopicPartition {
        if let [_] = &*self.topics {
            return (0, number);
        }
        // Only subscribed topics are received, so the index is always found.
        let index = self.topics.iter().position(|known| known == topic);
        (index.unwrap_or(usize::MAX), number)
    }

    fn partitions(&self, list: &TopicPartitionList) -> Vec<TopicPartition> {
        let elements = list.elements();
        elements.iter().map(|it| self.partition(it.topic(), it.partition())).collect()
    }

    /// Returns the name of a partition's topic.
    pub(crate) fn topic(&self, partition: TopicPartition) -> Option<&str> {
        self.topics.get(partition.0).map(String::as_str)
    }

    /// Notes that there are stored offsets to commit: new ones, or those of a failed commit.
    pub(crate) fn mark_stored(&self) {
        self.has_stored.store(true, Relaxed);
    }

    /// Returns whether a commit is due. The caller has to make it.
    pub(super) fn take_stored(&self) -> bool {
        self.has_stored.swap(false, Relaxed)
    }

    /// Returns how often partitions were revoked. Messages that were received before a revocation
    /// must not be committed after it.
    pub(crate) fn revocations(&self) -> u64 {
        *self.revocations.borrow()
    }

    /// Returns whether a partition was revoked after there had been this many revocations. It may
    /// be assigned again: then it is read from the last commit on, perhaps that of another member.
    pub(crate) fn is_revoked_since(&self, partition: TopicPartition, revocations: u64) -> bool {
        let revoked = self.revoked.lock().unwrap_or_else(PoisonError::into_inner);
        revoked.get(&partition).is_some_and(|last| *last > revocations)
    }

    /// Counts a revocation of these partitions.
    pub(crate) fn count_revocation(&self, partitions: &[TopicPartition]) {
        let number = self.revocations() + 1;
        let mut revoked = self.revoked.lock().unwrap_or_else(PoisonError::into_inner);
        revoked.extend(partitions.iter().map(|partition| (*partition, number)));
        drop(revoked);
        self.revocations.send_replace(number);
    }

    /// Waits until partitions were revoked more often than `count` times.
    pub(crate) async fn revoked_after(&self, count: u64) {
        // The sender is in `self`.
        let _ = self.revocations.subscribe().wait_for(|&revocations| revocations > count).await;
    }

    pub(crate) fn counters(&self) -> &Cells {
        &self.counters.0
    }

    /// Returns what is known about the lag.
    pub(super) fn lags(&self) -> &Lags {
        &self.lags
    }

    /// Notes the last offset of a partition that was stored.
    pub(crate) fn note_stored(&self, partition: TopicPartition, offset: i64) {
        self.lags.stored(partition, offset + 1);
    }

    /// Shows the lag in the counters and the status.
    pub(super) fn show_lag(&self) {
        self.lags.publish(self, &self.counters);
        self.show_status();
    }

    /// Returns the window.
    pub(super) fn window(&self) -> &Window {
        &self.window
    }

    /// Returns whether the assigned partitions are paused.
    pub(super) fn is_paused(&self) -> bool {
        self.is_paused.load(Relaxed)
    }

    /// Notes that the assigned partitions are paused, or resumed.
    pub(super) fn set_paused(&self, is_paused: bool) {
        self.is_paused.store(is_paused, Relaxed);
    }

    /// Notes whether nothing has moved for too long. From then on the task is not ready, until
    /// something moves.
    pub(crate) fn set_stalled(&self, is_stalled: bool) {
        let was_stalled = mem::replace(&mut self.readiness().is_stalled, is_stalled);
        if was_stalled == is_stalled {
            return;
        }
        let counts = self.counters.get();
        let (lag, in_flight) = (counts.lag, counts.in_flight);
        if is_stalled {
            tracing::warn!(lag, in_flight, stalled = ?counts.stalled, "nothing moves: not ready");
            self.show_status();
        } else {
            tracing::info!(lag, in_flight, "the task moves again");
        }
        self.update_ready();
    }

    /// Returns how often the group has given this member partitions, or made it a standby.
    pub(super) fn assignments(&self) -> u64 {
        self.assignments.load(Relaxed)
    }

    /// Returns whether partitions are assigned to this member.
    pub(super) fn has_partitions(&self) -> bool {
        self.counters.0.assigned.load(Relaxed) > 0
    }

    fn set_assigned(&self, is_assigned: bool) {
        self.readiness().is_assigned = is_assigned;
        self.update_ready();
    }

    fn update_ready(&self) {
        let Some(ctx) = self.ctx.get() else { return };
        let readiness = self.readiness();
        let is_ready = readiness.is_assigned && !readiness.is_stalled;
        drop(readiness);
        ctx.set_ready(is_ready);
    }

    fn readiness(&self) -> MutexGuard<'_, Readiness> {
        self.readiness.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn show_status(&self) {
        let Some(ctx) = self.ctx.get() else { return };
        if self.is_stopping.load(Relaxed) {
            return;
        }
        let counts = self.counters.get();
        let mut status = match counts.assigned {
            0 => String::from("no partitions assigned"),
            assigned => {
                format!("{assigned} partitions, lag {}, {} in flight", counts.lag, counts.in_flight)
            }
        };
        if self.readiness().is_stalled {
            let _ = write!(status, ", nothing moved for {} s", counts.stalled.as_secs());
        }
        if let Some(slow) = self.counters.0.slow.oldest() {
            let _ = write!(status, ", {slow}");
        }
        if counts.skipped > 0 {
            let _ = write!(status, ", {} skipped", counts.skipped);
        }
        ctx.set_status(status);
    }

    /// Returns a function that counts down the time that a revocation may take: the revoke timeout,
    /// and from the first call during a stop at most half of the stop timeout, and of the time that
    /// the manager grants.
    fn time_to_settle(&self) -> impl FnMut() -> Duration {
        let mut left = countdown(self.revoke_timeout);
        let mut half_of_stop = None;
        move || match self.ctx.get() {
            Some(ctx) if ctx.is_cancelled() => {
                let granted = || ctx.remaining().unwrap_or(Duration::MAX).min(self.stop_timeout);
                left().min(half_of_stop.get_or_insert_with(|| countdown(granted() / 2))())
            }
            _ => left(),
        }
    }

    /// Waits until the messages in flight of the revoked partitions are settled, and commits,
    /// before the partitions go to another member.
    ///
    /// Blocks at most for the [time to settle](Self::time_to_settle).
    fn settle_revoked(&self, partitions: &[TopicPartition]) {
        self.window.trim(partitions);
        let mut remaining = self.time_to_settle();
        let mut settle = || -> anyhow::Result<()> {
            // After the receive loop, the messages in flight were settled or abandoned.
            let wait = || if self.is_stopping.load(Relaxed) { Duration::ZERO } else { remaining() };
            let is_settled = self.window.wait_settled(partitions, wait);
            // librdkafka commits at a revocation too, but without a retry if that is refused.
            if let Some(consumer) = self.consumer.get().and_then(Weak::upgrade) {
                commit_blocking(consumer, remaining()).context("not committed")?;
            }
            ensure!(is_settled, "messages are still in flight");
            Ok(())
        };
        let settled = match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
            // The other tasks of this worker, the settler among them, move to another worker.
            Ok(RuntimeFlavor::MultiThread) => block_in_place(settle),
            // On a current-thread runtime the receive loop has a dedicated thread (`may_block`).
            _ => settle(),
        };
        if let Err(error) = settled {
            self.counters.0.unclean_revocations.fetch_add(1, Relaxed);
            tracing::warn!("the next owner of the revoked partitions repeats messages: {error:#}");
        }
    }
}

impl ConsumerContext for Membership {
    fn pre_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Revoke(list) => {
                let count = list.count();
                self.counters.0.assigned.fetch_sub(count as i64, Relaxed);
                if self.is_closing.load(Relaxed) {
                    return;
                }
                self.counters.0.rebalances.fetch_add(1, Relaxed);
                let partitions = self.partitions(list);
                self.lags.revoked(&partitions);
                self.count_revocation(&partitions);
                if consumer.assignment_lost() {
                    self.counters.0.unclean_revocations.fetch_add(1, Relaxed);
                    tracing::warn!(count, "partitions were lost, other members read them already");
                    self.set_assigned(false);
                } else {
                    tracing::info!(count, "partitions are revoked");
                    // An open transaction will be aborted, so the next owner repeats nothing.
                    if !self.is_transactional {
                        self.settle_revoked(&partitions);
                    }
                }
                if !self.is_transactional {
                    let settled = self.window.revoke(&partitions);
                    self.counters.0.rewound.fetch_add(settled as u64, Relaxed);
                }
                // librdkafka keeps a partition paused, also if it is assigned again.
                if self.is_paused() {
                    warn_unless(consumer.resume(list), "failed to resume revoked partitions");
                }
            }
            Rebalance::Assign(partitions) => {
                let count = partitions.count();
                self.lags.assigned(&self.partitions(partitions));
                self.counters.0.rebalances.fetch_add(1, Relaxed);
                self.counters.0.assigned.fetch_add(count as i64, Relaxed);
                tracing::info!(count, "partitions are assigned");
            }
            Rebalance::Error(error) => tracing::warn!(%error, "rebalance failed"),
        }
    }

    fn post_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        // An empty assignment counts too: this member is a standby.
        if let Rebalance::Assign(list) = rebalance {
            if self.is_paused() {
                warn_unless(consumer.pause(list), "failed to pause assigned partitions");
            }
            self.assignments.fetch_add(1, Relaxed);
            self.set_assigned(true);
        }
    }
}

impl ClientContext for Membership {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: NativeError, reason: &str) {
        self.errors.warn_and_keep("kafka consumer", &error, reason);
    }

    fn stats(&self, statistics: Statistics) {
        self.lags.statistics(self, statistics);
        self.show_lag();
    }
}

fn warn_unless(done: KafkaResult<()>, what: &'static str) {
    if let Err(error) = done {
        tracing::warn!(%error, "{what}");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use rdkafka::statistics::{Partition, Topic};
    use task_core::scope::{Scope, Stage, StageCell};

    use super::*;
    use crate::{Order, member::Room};

    /// A scope that grants this many seconds.
    struct Granted(StageCell, AtomicU64);

    impl Scope for Granted {
        fn stage(&self) -> &StageCell {
            &self.0
        }

        fn remaining(&self) -> Option<Duration> {
            Some(Duration::from_secs(self.1.load(Relaxed)))
        }
    }

    fn membership(settings: &KafkaSettings) -> Membership {
        let window = Arc::new(Window::new(Order::Key, Room { messages: 1, bytes: 1 }));
        let counters = Counters::new(Arc::default(), settings.stall_timeout);
        Membership::new(settings, window, counters)
    }

    #[test]
    fn the_lag_is_known_for_each_partition_that_is_read() {
        let partition = |partition, hi_offset| {
            let [committed_offset, ls_offset] = [-1001, hi_offset];
            let known = Partition { partition, hi_offset, ls_offset, ..Default::default() };
            (partition, Partition { stored_offset: 10, app_offset: 10, committed_offset, ..known })
        };
        let partitions = [partition(1, 25), partition(0, 12), partition(2, 99)];
        let topic = Topic { partitions: partitions.into(), ..Topic::default() };
        let topics = [(String::from("in"), topic)].into();
        let membership = membership(&KafkaSettings::new("localhost:9092").topics(["in"]));
        membership.lags.assigned(&[(0, 0), (0, 1)]);
        membership.stats(Statistics { topics, ..Statistics::default() });
        let lags = membership.counters.lags();
        let lags: Vec<_> = lags.iter().map(|it| (&*it.topic, it.partition, it.lag)).collect();
        assert_eq!(lags, [("in", 0, 2), ("in", 1, 15)]);
        assert_eq!(membership.counters.get().lag, 17);
        membership.lags.revoked(&[(0, 0), (0, 1)]);
        membership.stats(Statistics::default());
        assert_eq!((membership.counters.lags(), membership.counters.get().lag), (vec![], 0));
    }

    #[test]
    fn a_revocation_leaves_half_of_the_time_of_a_stop() {
        let settings = KafkaSettings::new("localhost:9092")
            .revoke_timeout(Duration::MAX)
            .stop_timeout(Duration::MAX);
        let membership = membership(&settings);
        let scope = Arc::new(Granted(StageCell::default(), AtomicU64::new(2000)));
        membership.set_context(Context::new(scope.clone()));
        let mut remaining = membership.time_to_settle();
        assert!(remaining() > Duration::from_secs(3600), "no stop limits it");

        scope.stage().advance(Stage::Cancelled);
        assert!(remaining() <= Duration::from_secs(1000), "half is for the commit and the close");
        scope.1.store(1000, Relaxed);
        assert!(remaining() > Duration::from_secs(800), "the half is fixed at the first call");
    }
}
