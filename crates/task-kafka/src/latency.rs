//! Latency histograms, cheap enough to record every message.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

const BUCKETS: usize = 14;

/// A snapshot of a latency histogram, which counts since the task was created.
///
/// # Examples
///
/// ```
/// use task_kafka::Latency;
///
/// /// Formats the buckets cumulatively, as Prometheus does.
/// fn lines(latency: &Latency) -> Vec<String> {
///     let mut total = 0;
///     let lines = latency.buckets().map(|(bound, count)| {
///         total += count;
///         let bound = bound.map_or("+Inf".to_owned(), |it| it.as_secs_f64().to_string());
///         format!("le={bound} {total}")
///     });
///     lines.collect()
/// }
/// assert_eq!(lines(&Latency::default())[0], "le=0.001 0");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Latency {
    /// The count of the bucket of each bound, and of the values above the last one.
    counts: [u64; BUCKETS + 1],
    sum: Duration,
}

impl Latency {
    /// The inclusive upper bounds of the buckets, from 1 ms to 20 s. A further bucket has no bound.
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

    /// Returns the number of values.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Returns the sum of all values.
    pub fn sum(&self) -> Duration {
        self.sum
    }

    /// Returns the mean, or `None` if there are no values.
    pub fn mean(&self) -> Option<Duration> {
        let count = self.count();
        (count > 0).then(|| self.sum.div_f64(count as f64))
    }

    /// Returns each bucket's upper bound and count. The counts are not cumulative; the last bucket
    /// has no bound.
    pub fn buckets(&self) -> impl Iterator<Item = (Option<Duration>, u64)> {
        let bounds = Self::BOUNDS.into_iter().map(Some).chain([None]);
        bounds.zip(self.counts)
    }
}

/// A latency histogram that is recorded concurrently.
#[derive(Debug, Default)]
pub(crate) struct Histogram {
    counts: [AtomicU64; BUCKETS + 1],
    sum_nanos: AtomicU64,
}

impl Histogram {
    pub(crate) fn record(&self, took: Duration) {
        let bucket = Latency::BOUNDS.partition_point(|bound| *bound < took);
        self.counts[bucket].fetch_add(1, Relaxed);
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.sum_nanos.fetch_add(nanos, Relaxed);
    }

    /// Returns a snapshot. Values that are recorded meanwhile may be missing from some of its
    /// parts.
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
    fn bounds_are_inclusive() {
        let histogram = Histogram::default();
        assert_eq!(histogram.get().mean(), None);
        for micros in [0, 1_000, 1_001, 20_000_000, 20_000_001] {
            histogram.record(Duration::from_micros(micros));
        }
        let latency = histogram.get();
        let filled: Vec<_> = latency.buckets().filter(|bucket| bucket.1 > 0).collect();
        let bound = |millis| Some(Duration::from_millis(millis));
        assert_eq!(filled, [(bound(1), 2), (bound(2), 1), (bound(20_000), 1), (None, 1)]);
        assert_eq!((latency.count(), latency.sum()), (5, Duration::from_micros(40_002_002)));
        assert_eq!(latency.mean(), Some(Duration::from_nanos(8_000_400_400)));
    }
}
