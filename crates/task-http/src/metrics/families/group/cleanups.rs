//! `task_cleanup*`: the hooks after the tasks.

use task_core::{CleanupInfo, CleanupState};

use super::{labels::Labels, outcomes};
use crate::metrics::encode::{Encoder, Kind};

/// Writes the families. Cleanups of the same name share one series.
pub(super) fn encode(cleanups: &[CleanupInfo], encoder: &mut Encoder<'_>) {
    let count = |wanted: CleanupState| {
        cleanups.iter().filter(|cleanup| cleanup.state == wanted).count() as u64
    };
    let help = "Cleanups that have ended, by outcome.";
    let mut family = encoder.family("task_cleanups", Kind::Counter, help);
    for (outcome, word) in outcomes() {
        family.sample(&[("outcome", word)], count(CleanupState::Ended(outcome)));
    }
    family.sample(&[("outcome", "not_run")], count(CleanupState::NotRun));

    let mut labels = Labels::<f64>::new();
    for cleanup in cleanups.iter().filter(|cleanup| cleanup.began_at.is_some()) {
        *labels.entry(&cleanup.name) += cleanup.took.as_secs_f64();
    }
    let help = "Time that the cleanups of a name have taken.";
    let mut family = encoder.family("task_cleanup_duration_seconds", Kind::Gauge, help);
    for (label, seconds) in labels.sorted() {
        family.sample(&[("cleanup", label)], seconds);
    }
}
