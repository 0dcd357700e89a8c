//! The totals of the service, for progress, metrics and the line at the end.

use std::{
    fmt,
    sync::{
        Mutex, PoisonError,
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
    runs: Mutex<Runs>,
}

/// The runs of the Kafka task, of which each has counters of its own.
#[derive(Debug, Default)]
struct Runs {
    /// The sums of those that have ended.
    ended: Counts,
    last: Option<Counters>,
}

impl Totals {
    /// Takes the counters of a run of the Kafka task, which follows those that were taken before.
    pub fn begin_run(&self, counters: Counters) {
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        runs.ended = runs.sum();
        // They are read again, and their run has nothing in flight any more.
        runs.ended.rewound += std::mem::take(&mut runs.ended.in_flight);
        runs.last = Some(counters);
    }

    /// Returns the counts of the Kafka task, all zero before it exists. The gauges and the
    /// latencies are those of the last run.
    pub fn counts(&self) -> Counts {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner).sum()
    }

    /// Returns how many generated orders were not consumed. Correct only if no other process
    /// consumes or produces.
    pub fn unread(&self) -> u64 {
        self.generated.load(Relaxed).saturating_sub(self.counts().consumed)
    }
}

impl Runs {
    fn sum(&self) -> Counts {
        let mut sum = self.last.as_ref().map(Counters::get).unwrap_or_default();
        let ended = &self.ended;
        sum.consumed += ended.consumed;
        sum.produced += ended.produced;
        sum.dead_lettered += ended.dead_lettered;
        sum.retried += ended.retried;
        sum.settled += ended.settled;
        sum.rewound += ended.rewound;
        sum.rebalances += ended.rebalances;
        sum.unclean_revocations += ended.unclean_revocations;
        sum.commits += ended.commits;
        sum.commit_failures += ended.commit_failures;
        sum.renewals += ended.renewals;
        sum
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
