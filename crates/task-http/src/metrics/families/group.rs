//! `task_*`: the families of the group and its lifecycle.

use std::time::{SystemTime, UNIX_EPOCH};

use task_core::{GroupSnapshot, Outcome, Step};

use crate::metrics::encode::{Encoder, Kind};

mod cleanups;
mod labels;
mod tasks;

pub(super) use tasks::StartTimes;

/// Writes the families of one snapshot.
pub(super) fn encode(snapshot: &GroupSnapshot, starts: &mut StartTimes, encoder: &mut Encoder<'_>) {
    encode_manager(snapshot, encoder);
    encode_shutdown(snapshot, encoder);
    let help = "Tasks alive.";
    encoder.family("task_alive", Kind::Gauge, help).sample(&[], snapshot.tasks.len());
    let help = "Tasks admitted.";
    encoder.family("task_starts", Kind::Counter, help).sample(&[], snapshot.totals.started);
    tasks::encode(snapshot, starts, encoder);
    cleanups::encode(&snapshot.cleanups, encoder);
    let help = "Signals received by the service.";
    let mut family = encoder.family("task_signals_received", Kind::Counter, help);
    for signal in &snapshot.signals {
        family.sample(&[("signal", &signal.name)], signal.count);
    }
}

/// Writes the state and the readiness of the manager.
fn encode_manager(snapshot: &GroupSnapshot, encoder: &mut Encoder<'_>) {
    let help = "Lifecycle step of the manager: 1 for the current one.";
    let mut family = encoder.family("task_manager_state", Kind::Gauge, help);
    let steps = [
        (Step::Running, "running"),
        (Step::Draining, "draining"),
        (Step::Stopping, "stopping"),
        (Step::CleaningUp, "cleanup"),
        (Step::Ended, "ended"),
    ];
    for (step, state) in steps {
        family.sample(&[("state", state)], step == snapshot.step);
    }
    let help = "Whether the group is ready for traffic.";
    encoder
        .family("task_manager_ready", Kind::Gauge, help)
        .sample(&[], snapshot.readiness.is_ready());
    let help = "Whether the group has ever been ready.";
    encoder
        .family("task_manager_started", Kind::Gauge, help)
        .sample(&[], snapshot.readiness.has_started);
}

/// Writes the families that exist from the trigger of a shutdown on.
fn encode_shutdown(snapshot: &GroupSnapshot, encoder: &mut Encoder<'_>) {
    let Some(shutdown) = &snapshot.shutdown else { return };
    let began = shutdown.began.duration_since(UNIX_EPOCH).unwrap_or_default();
    let help = "Start of the shutdown since the Unix epoch.";
    encoder
        .family("task_manager_shutdown_start_time_seconds", Kind::Gauge, help)
        .sample(&[], began.as_millis() as f64 / 1000.0);
    if let Some(budget) = shutdown.budget {
        let help = "Time limit of the whole shutdown.";
        encoder
            .family("task_manager_shutdown_timeout_seconds", Kind::Gauge, help)
            .sample(&[], budget.as_secs_f64());
    }
    if let Some(remaining) = snapshot.remaining {
        let help = "Time left until the deadline of the whole shutdown.";
        encoder
            .family("task_manager_shutdown_remaining_seconds", Kind::Gauge, help)
            .sample(&[], remaining.as_secs_f64());
    }
}

/// Returns the wall-clock time `ago` before now, in seconds since the Unix epoch.
fn unix_time(ago: std::time::Duration) -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    now.saturating_sub(ago).as_millis() as f64 / 1000.0
}

/// Returns the outcomes with their label values.
fn outcomes() -> impl Iterator<Item = (Outcome, &'static str)> {
    Outcome::ALL.into_iter().map(|outcome| (outcome, outcome.as_str()))
}
