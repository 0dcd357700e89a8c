//! What the task counts, for metrics and progress.

use std::sync::{
    Arc,
    atomic::{AtomicI64, AtomicU64, Ordering::Relaxed},
};

/// The counters of one task, shared with whoever shows them. They only grow, except for the gauges.
#[derive(Clone, Debug)]
pub struct Counters(pub(crate) Arc<Cells>);

#[derive(Debug)]
pub(crate) struct Cells {
    pub(crate) consumed: AtomicU64,
    pub(crate) produced: AtomicU64,
    pub(crate) dead_lettered: AtomicU64,
    pub(crate) settled: AtomicU64,
    pub(crate) rebalances: AtomicU64,
    pub(crate) unclean_revocations: AtomicU64,
    pub(crate) commits: AtomicU64,
    pub(crate) commit_failures: AtomicU64,
    pub(crate) assigned: AtomicI64,
    pub(crate) lag: AtomicI64,
}

/// What [`Counters`] held at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Messages taken over from the brokers: transformed, and their records on the way.
    pub consumed: u64,
    /// Records that the transform made and the brokers acknowledged.
    pub produced: u64,
    /// Messages that the brokers acknowledged in the dead-letter topic.
    pub dead_lettered: u64,
    /// Messages dealt with in full, their offsets stored.
    pub settled: u64,
    /// Messages consumed and not settled: a gauge. Those that are left when the task has ended were given up, and
    /// are read again.
    pub in_flight: u64,
    /// Assignments and revocations.
    pub rebalances: u64,
    /// Revocations after which the next owner repeats messages: partitions lost, messages that were not settled in
    /// time, or a commit that was refused.
    pub unclean_revocations: u64,
    /// Commits that the brokers acknowledged.
    pub commits: u64,
    /// Commits that failed. What they left out is committed by the next one, or read again.
    pub commit_failures: u64,
    /// Partitions that this member reads: a gauge.
    pub assigned: u64,
    /// Messages in those partitions beyond the last stored offset, as of the last second: a gauge.
    pub lag: u64,
}

impl Counters {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Cells {
            consumed: AtomicU64::new(0),
            produced: AtomicU64::new(0),
            dead_lettered: AtomicU64::new(0),
            settled: AtomicU64::new(0),
            rebalances: AtomicU64::new(0),
            unclean_revocations: AtomicU64::new(0),
            commits: AtomicU64::new(0),
            commit_failures: AtomicU64::new(0),
            assigned: AtomicI64::new(0),
            lag: AtomicI64::new(0),
        }))
    }

    /// Returns the present values, each read by itself.
    pub fn get(&self) -> Counts {
        let cells = &self.0;
        let settled = cells.settled.load(Relaxed);
        let consumed = cells.consumed.load(Relaxed);
        Counts {
            consumed,
            produced: cells.produced.load(Relaxed),
            dead_lettered: cells.dead_lettered.load(Relaxed),
            settled,
            in_flight: consumed.saturating_sub(settled),
            rebalances: cells.rebalances.load(Relaxed),
            unclean_revocations: cells.unclean_revocations.load(Relaxed),
            commits: cells.commits.load(Relaxed),
            commit_failures: cells.commit_failures.load(Relaxed),
            assigned: cells.assigned.load(Relaxed).max(0).cast_unsigned(),
            lag: cells.lag.load(Relaxed).max(0).cast_unsigned(),
        }
    }
}
