//! The totals of the service, for progress, metrics and the line at the end.

use std::{
    fmt,
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use taskkit::kafka::{Counters, Counts};

/// The counters of the service, with those of the Kafka task.
#[derive(Debug, Default)]
pub struct Totals {
    /// Orders of the generator that the broker acknowledged.
    pub generated: AtomicU64,
    /// Rows inserted into the database.
    pub rows: AtomicU64,
    /// Rows deleted by the purge.
    pub purged: AtomicU64,
    /// The counters of the Kafka task, once it exists.
    pub kafka: OnceLock<Counters>,
}

impl Totals {
    /// Returns the counts of the Kafka task, all zero before it exists.
    pub fn counts(&self) -> Counts {
        self.kafka.get().map(Counters::get).unwrap_or_default()
    }

    /// Returns how many generated orders were not consumed. Correct only if no other process
    /// consumes or produces.
    pub fn unread(&self) -> u64 {
        self.generated.load(Relaxed).saturating_sub(self.counts().consumed)
    }
}

/// One line of `name=number` pairs.
impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts { consumed, produced, dead_lettered, settled, in_flight, .. } = self.counts();
        let [generated, rows, purged] =
            [&self.generated, &self.rows, &self.purged].map(|total| total.load(Relaxed));
        write!(
            f,
            "consumed={consumed} produced={produced} dead_lettered={dead_lettered} \
             settled={settled} in_flight={in_flight} rows={rows} purged={purged} \
             generated={generated}"
        )
    }
}
