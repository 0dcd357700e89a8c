//! The progress watch: whether anything moves while there is lag.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use rdkafka::consumer::Consumer as _;
use tokio::{task::JoinHandle, time::interval};

use crate::{Counters, member::Consumer};

/// How often the watch looks.
const INTERVAL: Duration = Duration::from_secs(1);

/// The running watch. Dropping it ends it.
pub(crate) struct ProgressWatch(JoinHandle<()>);

impl ProgressWatch {
    /// Starts a watch that makes the task not ready once nothing has moved for `limit`, and ready
    /// again when something moves. It has a Tokio task of its own, which goes on while a transform
    /// blocks that of the receive loop.
    pub(crate) fn start(consumer: &Arc<Consumer>, counters: Counters, limit: Duration) -> Self {
        // Weak: the close of the consumer waits for nobody.
        let consumer = Arc::downgrade(consumer);
        Self(tokio::spawn(async move {
            let mut clock = interval(INTERVAL);
            let mut progress = Progress::new(Instant::now());
            loop {
                clock.tick().await;
                let counts = counters.get();
                let is_behind = counts.assigned > 0
                    && (counts.in_flight > 0
                        || counters.0.is_behind.load(Relaxed)
                        || counters.0.slow.count() > 0);
                let moved = counts.consumed.wrapping_add(counts.settled);
                let stalled = progress.observe(Instant::now(), moved, is_behind);
                let millis = u64::try_from(stalled.as_millis()).unwrap_or(u64::MAX);
                counters.0.stalled_millis.store(millis, Relaxed);
                let Some(consumer) = consumer.upgrade() else { return };
                consumer.native().context().set_stalled(stalled >= limit);
            }
        }))
    }
}

impl Drop for ProgressWatch {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// For how long nothing has moved although there was something to move.
#[derive(Debug)]
struct Progress {
    since: Instant,
    moved: u64,
}

impl Progress {
    fn new(now: Instant) -> Self {
        Self { since: now, moved: 0 }
    }

    /// Returns for how long nothing has moved, if there was lag all the time.
    fn observe(&mut self, now: Instant, moved: u64, is_behind: bool) -> Duration {
        if !is_behind || moved != self.moved {
            *self = Self { since: now, moved };
        }
        now.saturating_duration_since(self.since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_counts_only_while_there_is_lag_and_nothing_moves() {
        let start = Instant::now();
        let mut progress = Progress::new(start);
        let mut observe = |second, moved, is_behind| {
            progress.observe(start + Duration::from_secs(second), moved, is_behind).as_secs()
        };
        assert_eq!(observe(5, 0, false), 0, "idle");
        assert_eq!(observe(8, 0, true), 3);
        assert_eq!(observe(9, 1, true), 0, "it moved");
        assert_eq!(observe(20, 1, true), 11);
        assert_eq!(observe(21, 1, false), 0, "nothing is left");
        assert_eq!(observe(22, 1, true), 1);
    }
}
