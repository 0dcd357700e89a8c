//! The counters of a task, for metrics and progress.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use crate::{Latency, latency::Histogram, slow::SlowCalls};

/// The counters of one task. Cheap to clone; all clones read the same counters.
///
/// They only grow, except for the gauges, and stay readable after the task has ended.
///
/// # Examples
///
/// ```no_run
/// use std::time::Duration;
/// use task_kafka::Counters;
///
/// async fn log_progress(counters: Counters) {
///     loop {
///         tokio::time::sleep(Duration::from_secs(60)).await;
///         let counts = counters.get();
///         println!("{} settled, lag {}", counts.settled, counts.lag);
///     }
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Counters(pub(crate) Arc<Cells>);

#[derive(Debug, Default)]
pub(crate) struct Cells {
    pub(crate) consumed: AtomicU64,
    pub(crate) produced: AtomicU64,
    pub(crate) dead_lettered: AtomicU64,
    pub(crate) skipped: AtomicU64,
    pub(crate) retried: AtomicU64,
    pub(crate) settled: AtomicU64,
    pub(crate) rewound: AtomicU64,
    pub(crate) rebalances: AtomicU64,
    pub(crate) unclean_revocations: AtomicU64,
    pub(crate) commits: AtomicU64,
    pub(crate) commit_failures: AtomicU64,
    pub(crate) renewals: AtomicU64,
    pub(crate) assigned: AtomicI64,
    pub(crate) lag: AtomicI64,
    pub(crate) lags: Mutex<Vec<PartitionLag>>,
    /// Whether there are messages to fetch or to take, as of the last second.
    pub(crate) is_behind: AtomicBool,
    pub(crate) stalled_millis: AtomicU64,
    pub(crate) slow: SlowCalls,
    pub(crate) commit_latency: Histogram,
    /// Shared with the producer, which records it.
    pub(crate) delivery_latency: Arc<Histogram>,
}

/// The lag of one partition that this member reads.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct PartitionLag {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// Messages beyond the last stored offset, or, with transactions, beyond the last one received.
    pub lag: u64,
}

/// The values of [`Counters`] at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Messages that were received and transformed, and whose records were sent.
    pub consumed: u64,
    /// Records of the transform that the brokers acknowledged.
    pub produced: u64,
    /// Messages that the brokers acknowledged in the dead-letter topic.
    pub dead_lettered: u64,
    /// Messages that were refused, and could not be dead-lettered: they are lost. See
    /// [`OnPoison::Skip`](crate::OnPoison::Skip).
    pub skipped: u64,
    /// Retries of the transform.
    pub retried: u64,
    /// Messages that are done: delivered, written, and their offsets stored, or committed with
    /// their transaction.
    pub settled: u64,
    /// Messages that are read again although they were consumed: those of aborted transactions, and
    /// those whose partition was revoked before their offset could be stored.
    pub rewound: u64,
    /// Messages consumed and neither settled nor rewound: a gauge. Those that are left when the
    /// task has ended were abandoned, and are read again.
    pub in_flight: u64,
    /// Assignments and revocations.
    pub rebalances: u64,
    /// Revocations after which the next owner repeats messages: partitions lost, messages that were
    /// not settled in time, or a commit that was refused.
    pub unclean_revocations: u64,
    /// Commits that the brokers acknowledged.
    pub commits: u64,
    /// Commits that failed. What they left out is committed by the next one, or read again.
    pub commit_failures: u64,
    /// Producers that were made anew, because a commit or an abort of the one before had an unknown
    /// fate, or did not return.
    pub renewals: u64,
    /// Partitions that this member reads: a gauge.
    pub assigned: u64,
    /// Messages in those partitions beyond the last stored offset, or, with transactions, beyond
    /// the last one received, as of the last second: a gauge.
    pub lag: u64,
    /// Calls of the transform and the sink that have taken longer than
    /// [`KafkaSettings::stall_timeout`](crate::KafkaSettings::stall_timeout) and have not returned:
    /// a gauge.
    pub slow_calls: u64,
    /// For how long nothing was consumed and nothing settled although there was something to, as of
    /// the last second: a gauge. From
    /// [`KafkaSettings::stall_timeout`](crate::KafkaSettings::stall_timeout) on, the task is not
    /// ready.
    pub stalled: Duration,
    /// How long commits took, from the request to the brokers' answer.
    pub commit_latency: Latency,
    /// How long records took from the producer's queue to the brokers' acknowledgement, those of
    /// all clones of the task's producer.
    pub delivery_latency: Latency,
}

impl Counters {
    pub(crate) fn new(delivery_latency: Arc<Histogram>, stall_timeout: Duration) -> Self {
        let slow = SlowCalls::new(stall_timeout);
        Self(Arc::new(Cells { delivery_latency, slow, ..Cells::default() }))
    }

    /// Returns the lag of each partition that this member reads, ordered by topic and partition, as
    /// of the last second. [`Counts::lag`] is their sum.
    pub fn lags(&self) -> Vec<PartitionLag> {
        self.0.lags.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sets the lag of each partition, and whether there is something to fetch or to take.
    pub(crate) fn set_lags(&self, mut lags: Vec<PartitionLag>, is_behind: bool) {
        self.0.is_behind.store(is_behind, Relaxed);
        lags.sort_unstable();
        let sum = lags.iter().map(|it| it.lag).sum::<u64>();
        self.0.lag.store(i64::try_from(sum).unwrap_or(i64::MAX), Relaxed);
        *self.0.lags.lock().unwrap_or_else(PoisonError::into_inner) = lags;
    }

    /// Returns the current values. Each is read by itself: they are not one consistent snapshot.
    pub fn get(&self) -> Counts {
        let cells = &self.0;
        let settled = cells.settled.load(Relaxed);
        let rewound = cells.rewound.load(Relaxed);
        let consumed = cells.consumed.load(Relaxed);
        Counts {
            consumed,
            produced: cells.produced.load(Relaxed),
            dead_lettered: cells.dead_lettered.load(Relaxed),
            skipped: cells.skipped.load(Relaxed),
            retried: cells.retried.load(Relaxed),
            settled,
            rewound,
            in_flight: consumed.saturating_sub(settled).saturating_sub(rewound),
            rebalances: cells.rebalances.load(Relaxed),
            unclean_revocations: cells.unclean_revocations.load(Relaxed),
            commits: cells.commits.load(Relaxed),
            commit_failures: cells.commit_failures.load(Relaxed),
            renewals: cells.renewals.load(Relaxed),
            assigned: cells.assigned.load(Relaxed).max(0).cast_unsigned(),
            lag: cells.lag.load(Relaxed).max(0).cast_unsigned(),
            slow_calls: cells.slow.count() as u64,
            stalled: Duration::from_millis(cells.stalled_millis.load(Relaxed)),
            commit_latency: cells.commit_latency.get(),
            delivery_latency: cells.delivery_latency.get(),
        }
    }
}
