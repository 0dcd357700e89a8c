//! The progress event in the log.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Instant,
};

use taskkit::{Context, kafka::Counts, periodic::Action};

use crate::totals::Totals;

/// Logs one event per run: the rates since the last run, and the current state.
#[derive(Debug)]
pub struct Progress {
    totals: Arc<Totals>,
    last: Counts,
    last_at: Instant,
}

impl Progress {
    /// Creates the action. The first rates count from now.
    pub fn new(totals: Arc<Totals>) -> Self {
        Self { last: totals.counts(), totals, last_at: Instant::now() }
    }
}

impl Action for Progress {
    async fn run(&mut self, _ctx: Context) -> anyhow::Result<()> {
        let now = self.totals.counts();
        let seconds = self.last_at.elapsed().as_secs_f64().max(f64::EPSILON);
        let rate = |now: u64, last: u64| ((now - last) as f64 / seconds).round() as u64;
        let consumed = rate(now.consumed, self.last.consumed);
        let state = match (now.assigned, consumed) {
            (0, _) => "waiting for partitions",
            (_, 0) => "idle",
            _ => "flowing",
        };
        tracing::info!(
            "consumed/s" = consumed,
            "produced/s" = rate(now.produced, self.last.produced),
            "dead/s" = rate(now.dead_lettered, self.last.dead_lettered),
            lag = now.lag,
            in_flight = now.in_flight,
            rows = self.totals.rows.load(Relaxed),
            purged = self.totals.purged.load(Relaxed),
            "{state}"
        );
        (self.last, self.last_at) = (now, Instant::now());
        Ok(())
    }
}
