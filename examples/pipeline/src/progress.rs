//! The line of progress that appears every few seconds.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Instant,
};

use taskkit::{Context, kafka::Counts, periodic::Action};

use crate::totals::Totals;

/// Logs one line a run: rates since the last one, and what stands now.
#[derive(Debug)]
pub struct Progress {
    totals: Arc<Totals>,
    before: Counts,
    at: Instant,
}

impl Progress {
    /// Starts from now.
    pub fn new(totals: Arc<Totals>) -> Self {
        Self { before: totals.counts(), totals, at: Instant::now() }
    }
}

impl Action for Progress {
    async fn run(&mut self, _ctx: Context) -> anyhow::Result<()> {
        let now = self.totals.counts();
        let seconds = self.at.elapsed().as_secs_f64().max(f64::EPSILON);
        let rate = |now: u64, before: u64| ((now - before) as f64 / seconds).round() as u64;
        let consumed = rate(now.consumed, self.before.consumed);
        let state = match (now.assigned, consumed) {
            (0, _) => "waiting for partitions",
            (_, 0) => "idle",
            _ => "flowing",
        };
        tracing::info!(
            "consumed/s" = consumed,
            "produced/s" = rate(now.produced, self.before.produced),
            "dead/s" = rate(now.dead_lettered, self.before.dead_lettered),
            lag = now.lag,
            in_flight = now.in_flight,
            rows = self.totals.rows.load(Relaxed),
            purged = self.totals.purged.load(Relaxed),
            "{state}"
        );
        (self.before, self.at) = (now, Instant::now());
        Ok(())
    }
}
