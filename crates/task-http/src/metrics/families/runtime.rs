//! `tokio_*`: what Tokio offers without its unstable features.

use std::sync::Arc;

use tokio::runtime::RuntimeMetrics;

use crate::{
    health::heartbeat::Pulse,
    metrics::encode::{Encoder, Kind},
};

pub(super) fn encode(metrics: &RuntimeMetrics, pulses: &[Arc<Pulse>], encoder: &mut Encoder<'_>) {
    let workers = metrics.num_workers();
    let gauges = [
        ("tokio_workers", "Worker threads of the runtime.", workers),
        ("tokio_alive_tasks", "Tokio tasks that have not ended.", metrics.num_alive_tasks()),
        (
            "tokio_global_queue_depth",
            "Tokio tasks that wait in the runtime's global queue.",
            metrics.global_queue_depth(),
        ),
    ];
    for (name, help, value) in gauges {
        encoder.family(name, Kind::Gauge, help).sample(&[], value);
    }
    per_worker(metrics, workers, encoder);
    per_runtime(pulses, encoder);
}

/// What the heartbeat found. Not Tokio's own figures, but as much about it.
fn per_runtime(pulses: &[Arc<Pulse>], encoder: &mut Encoder<'_>) {
    let help = "Time that a runtime took to run a task that was just spawned, when last tried.";
    let mut family = encoder.family("tokio_spawn_delay_seconds", Kind::Gauge, help);
    for pulse in pulses {
        let (delay, _) = pulse.figures();
        family.sample(&[("runtime", &pulse.name)], delay.as_secs_f64());
    }
    let help = "How often that took longer than allowed.";
    let mut family = encoder.family("tokio_stalls", Kind::Counter, help);
    for pulse in pulses {
        let (_, stalls) = pulse.figures();
        family.sample(&[("runtime", &pulse.name)], stalls);
    }
}

/// Tokio counts these in 64 bits, and only where the machine can.
#[cfg(target_has_atomic = "64")]
fn per_worker(metrics: &RuntimeMetrics, workers: usize, encoder: &mut Encoder<'_>) {
    let help = "Time that a worker has been busy.";
    let mut family = encoder.family("tokio_worker_busy_seconds", Kind::Counter, help);
    for worker in 0..workers {
        let busy = metrics.worker_total_busy_duration(worker).as_secs_f64();
        family.sample(&[("worker", &worker.to_string())], busy);
    }
    let help = "How often a worker went to sleep for want of work.";
    let mut family = encoder.family("tokio_worker_parks", Kind::Counter, help);
    for worker in 0..workers {
        family.sample(&[("worker", &worker.to_string())], metrics.worker_park_count(worker));
    }
}

#[cfg(not(target_has_atomic = "64"))]
fn per_worker(_: &RuntimeMetrics, _: usize, _: &mut Encoder<'_>) {}
