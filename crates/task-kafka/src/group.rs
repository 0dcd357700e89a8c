//! Membership in the consumer group: what happens when partitions come and go.

use std::{
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use anyhow::{Context as _, ensure};
use rdkafka::{
    ClientContext, Statistics, TopicPartitionList,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, Consumer as _, ConsumerContext, Rebalance},
    error::KafkaError,
    statistics::Partition,
};
use task_core::Context;
use tokio::{
    runtime::{Handle, RuntimeFlavor},
    task::block_in_place,
};

use crate::{
    Counters, Settings,
    client::{Throttle, log},
    commit::commit_blocking,
    consumer::Consumer,
    counters::Cells,
    window::{Place, Window, countdown},
};

/// The consumer's callbacks. They run where the consumer is polled: within its receive loop, or on
/// the thread that closes it.
pub(crate) struct Membership {
    topics: Vec<String>,
    revoke_budget: Duration,
    window: Arc<Window>,
    counters: Counters,
    ctx: OnceLock<Context>,
    consumer: OnceLock<Weak<Consumer>>,
    stopping: AtomicBool,
    closing: AtomicBool,
    /// Whether offsets go with transactions: then nothing is to be committed here.
    transactional: bool,
    revocations: AtomicU64,
    /// Whether offsets were stored since the last commit.
    stored: AtomicBool,
    pub(crate) errors: Throttle,
}

impl Membership {
    pub(crate) fn new(settings: &Settings, window: Arc<Window>, counters: Counters) -> Self {
        Self {
            topics: settings.topics.clone(),
            revoke_budget: settings.revoke_budget,
            window,
            counters,
            ctx: OnceLock::new(),
            consumer: OnceLock::new(),
            stopping: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            transactional: settings.transactional_id.is_some(),
            revocations: AtomicU64::new(0),
            stored: AtomicBool::new(false),
            errors: Throttle::default(),
        }
    }

    /// Says whose task this is. Only the first call counts.
    pub(crate) fn attach(&self, ctx: Context) {
        let _ = self.ctx.set(ctx);
    }

    /// Says whose callbacks these are. Weakly, for the consumer owns this.
    pub(crate) fn know(&self, consumer: &Arc<Consumer>) {
        let _ = self.consumer.set(Arc::downgrade(consumer));
    }

    /// From here on the task says what it is doing, and not the statistics.
    pub(crate) fn begin_to_stop(&self) {
        self.stopping.store(true, Relaxed);
    }

    /// From here on a revocation waits for nothing: the task has done what it could.
    pub(crate) fn begin_to_close(&self) {
        self.closing.store(true, Relaxed);
    }

    pub(crate) fn place(&self, topic: &str, partition: i32) -> Place {
        if let [_] = &*self.topics {
            return (0, partition);
        }
        // A name that was not subscribed to cannot come; it would share the counts of nobody.
        let index = self.topics.iter().position(|known| known == topic);
        (index.unwrap_or(usize::MAX), partition)
    }

    pub(crate) fn topic(&self, place: Place) -> Option<&str> {
        self.topics.get(place.0).map(String::as_str)
    }

    /// Offsets were stored, or a commit of them failed.
    pub(crate) fn stored(&self) {
        self.stored.store(true, Relaxed);
    }

    /// Tells whether a commit is due, which is then the caller's to make.
    pub(crate) fn takes_stored(&self) -> bool {
        self.stored.swap(false, Relaxed)
    }

    /// How often partitions were revoked: what was read before is not to be committed after.
    pub(crate) fn revocations(&self) -> u64 {
        self.revocations.load(Relaxed)
    }

    pub(crate) fn counters(&self) -> &Cells {
        &self.counters.0
    }

    fn set_ready(&self, ready: bool) {
        if let Some(ctx) = self.ctx.get() {
            ctx.set_ready(ready);
        }
    }

    /// Lets what is in flight of these partitions be settled and committed before they go to
    /// another member, within the budget, or half of what is left of a stop.
    fn finish(&self, revoked: &TopicPartitionList) {
        let places: Vec<_> = revoked
            .elements()
            .iter()
            .map(|element| self.place(element.topic(), element.partition()))
            .collect();
        let mut left = countdown(self.revoke_budget);
        let mut patience = || match self.ctx.get() {
            Some(ctx) if ctx.is_cancelled() => {
                left().min(ctx.remaining().map_or(Duration::MAX, |remaining| remaining / 2))
            }
            _ => left(),
        };
        let mut finish = || -> anyhow::Result<()> {
            // After the receive loop nothing in flight is waited for: it was settled, or given up.
            let now = || if self.stopping.load(Relaxed) { Duration::ZERO } else { patience() };
            let settled = self.window.wait_settled(&places, now);
            // librdkafka commits too when partitions are given back, but once only, and it may be
            // refused.
            if let Some(consumer) = self.consumer.get().and_then(Weak::upgrade) {
                commit_blocking(consumer, patience()).context("not committed")?;
            }
            ensure!(settled, "messages are still in flight");
            Ok(())
        };
        let finished = match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
            // The other tasks of this worker, the settler among them, move to another one.
            Ok(RuntimeFlavor::MultiThread) => block_in_place(finish),
            // Where a runtime has one thread, the receive loop has another (see `apart.rs`).
            _ => finish(),
        };
        if let Err(error) = finished {
            self.counters.0.unclean_revocations.fetch_add(1, Relaxed);
            tracing::warn!("the next owner of the revoked partitions repeats messages: {error:#}");
        }
    }
}

impl ConsumerContext for Membership {
    fn pre_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Revoke(partitions) => {
                let count = partitions.count();
                self.counters.0.assigned.fetch_sub(count as i64, Relaxed);
                if self.closing.load(Relaxed) {
                    return;
                }
                self.counters.0.rebalances.fetch_add(1, Relaxed);
                self.revocations.fetch_add(1, Relaxed);
                if consumer.assignment_lost() {
                    self.counters.0.unclean_revocations.fetch_add(1, Relaxed);
                    tracing::warn!(count, "partitions were lost: others read them already");
                    self.set_ready(false);
                } else {
                    tracing::info!(count, "partitions are revoked");
                    // A transaction that is open will be aborted, so that the next owner repeats
                    // nothing.
                    if !self.transactional {
                        self.finish(partitions);
                    }
                }
            }
            Rebalance::Assign(partitions) => {
                let count = partitions.count();
                self.counters.0.rebalances.fetch_add(1, Relaxed);
                self.counters.0.assigned.fetch_add(count as i64, Relaxed);
                tracing::info!(count, "partitions are assigned");
            }
            Rebalance::Error(error) => tracing::warn!(%error, "rebalance failed"),
        }
    }

    fn post_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        // An empty assignment is one too: this member stands by.
        if let Rebalance::Assign(_) = rebalance {
            self.set_ready(true);
        }
    }
}

impl ClientContext for Membership {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.errors.warn("kafka consumer", &error, reason);
    }

    fn stats(&self, statistics: Statistics) {
        let partitions = statistics.topics.values().flat_map(|topic| topic.partitions.values());
        let lag = partitions.filter(|it| it.fetch_state != "none").map(lag).sum();
        self.counters.0.lag.store(lag, Relaxed);
        let Some(ctx) = self.ctx.get() else { return };
        if !self.stopping.load(Relaxed) {
            let counts = self.counters.get();
            ctx.set_status(match counts.assigned {
                0 => String::from("no partitions assigned"),
                assigned => {
                    let in_flight = counts.in_flight;
                    format!("{assigned} partitions, lag {lag}, {in_flight} in flight")
                }
            });
        }
    }
}

/// Messages beyond what this group has dealt with; negative numbers mean "unknown" to librdkafka.
fn lag(partition: &Partition) -> i64 {
    let done = partition.stored_offset.max(partition.committed_offset).max(partition.lo_offset);
    if partition.hi_offset < 0 || done < 0 { 0 } else { (partition.hi_offset - done).max(0) }
}
