//! How long something took, counted in buckets: cheap enough to be taken of every record.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

const BUCKETS: usize = 14;

/// How long something took, as a histogram since the task was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Latency {
    /// Of the bucket below each bound, and of those above the last.
    counts: [u64; BUCKETS + 1],
    sum: Duration,
}

impl Latency {
    /// The upper bounds of the buckets, from 1 ms to 20 s. What took longer than the last is
    /// counted all the same.
    pub const BOUNDS: [Duration; BUCKETS] = [
        Duration::from_millis(1),
        Duration::from_millis(2),
        Duration::from_millis(5),
        Duration::from_millis(10),
        Duration::from_millis(20),
        Duration::from_millis(50),
        Duration::from_millis(100),
        Duration::from_millis(200),
        Duration::from_millis(500),
        Duration::from_secs(1),
        Duration::from_secs(2),
        Duration::from_secs(5),
        Duration::from_secs(10),
        Duration::from_secs(20),
    ];

    /// Returns how many were measured.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Returns how long all of them took together.
    pub fn sum(&self) -> Duration {
        self.sum
    }

    /// Returns how long they took on average; `None` if there were none.
    pub fn mean(&self) -> Option<Duration> {
        let count = self.count();
        (count > 0).then(|| self.sum.div_f64(count as f64))
    }

    /// Returns each bucket's upper bound and how many were in it, those of lower buckets not
    /// included; the last has no bound.
    pub fn buckets(&self) -> impl Iterator<Item = (Option<Duration>, u64)> {
        let bounds = Self::BOUNDS.into_iter().map(Some).chain([None]);
        bounds.zip(self.counts)
    }
}

/// Where a latency is counted.
#[derive(Debug, Default)]
pub(crate) struct Stopwatch {
    counts: [AtomicU64; BUCKETS + 1],
    sum_nanos: AtomicU64,
}

impl Stopwatch {
    pub(crate) fn record(&self, took: Duration) {
        let bucket = Latency::BOUNDS.partition_point(|bound| *bound < took);
        self.counts[bucket].fetch_add(1, Relaxed);
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.sum_nanos.fetch_add(nanos, Relaxed);
    }

    pub(crate) fn get(&self) -> Latency {
        Latency {
            counts: std::array::from_fn(|bucket| self.counts[bucket].load(Relaxed)),
            sum: Duration::from_nanos(self.sum_nanos.load(Relaxed)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_took_as_long_as_a_bound_is_below_it() {
        let stopwatch = Stopwatch::default();
        assert_eq!(stopwatch.get().mean(), None);
        for micros in [0, 1_000, 1_001, 20_000_000, 20_000_001] {
            stopwatch.record(Duration::from_micros(micros));
        }
        let latency = stopwatch.get();
        let filled: Vec<_> = latency.buckets().filter(|bucket| bucket.1 > 0).collect();
        let bound = |millis| Some(Duration::from_millis(millis));
        assert_eq!(filled, [(bound(1), 2), (bound(2), 1), (bound(20_000), 1), (None, 1)]);
        assert_eq!((latency.count(), latency.sum()), (5, Duration::from_micros(40_002_002)));
        assert_eq!(latency.mean(), Some(Duration::from_nanos(8_000_400_400)));
    }
}
