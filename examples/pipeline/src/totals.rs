//! What the service did in all, for progress, metrics and the last line.

use std::{
    fmt,
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use taskkit::kafka::{Counters, Counts};

/// The service's own counters, and a way to the Kafka task's.
#[derive(Debug, Default)]
pub struct Totals {
    /// Events that the generator made and the broker acknowledged.
    pub generated: AtomicU64,
    /// Rows written that were not there before.
    pub rows: AtomicU64,
    /// Rows deleted by the purge job.
    pub purged: AtomicU64,
    /// Set once the Kafka task is made.
    pub kafka: OnceLock<Counters>,
}

impl Totals {
    /// Returns the Kafka task's counts, all zero before there is one.
    pub fn counts(&self) -> Counts {
        self.kafka.get().map(Counters::get).unwrap_or_default()
    }

    /// Returns how many generated events were not consumed. It says something only where nobody else consumes or
    /// produces.
    pub fn unread(&self) -> u64 {
        self.generated.load(Relaxed).saturating_sub(self.counts().consumed)
    }
}

/// One line of `name=number` pairs, for people and harnesses.
impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts { consumed, produced, dead_lettered, settled, in_flight, .. } = self.counts();
        let [generated, rows, purged] =
            [&self.generated, &self.rows, &self.purged].map(|cell| cell.load(Relaxed));
        write!(
            f,
            "consumed={consumed} produced={produced} dead_lettered={dead_lettered} \
             settled={settled} in_flight={in_flight} rows={rows} purged={purged} \
             generated={generated}"
        )
    }
}
