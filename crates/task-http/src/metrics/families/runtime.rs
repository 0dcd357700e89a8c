//! `tokio_*`: the stable part of Tokio's runtime metrics, and the results of the heartbeat.

use std::sync::Arc;

use tokio::runtime::RuntimeMetrics;

use crate::{
    health::heartbeat::RuntimeMonitor,
    metrics::encode::{Encoder, Kind},
};

/// Writes the families of the server's runtime and of the monitored ones.
pub(super) fn encode(
    metrics: &RuntimeMetrics,
    monitors: &[Arc<RuntimeMonitor>],
    encoder: &mut Encoder<'_>,
) {
    let workers = metrics.num_workers();
    let gauges = [
        ("tokio_workers", "Worker threads of the runtime.", workers),
        ("tokio_alive_tasks", "Tokio tasks that have not ended.", metrics.num_alive_tasks()),
        (
            "tokio_global_queue_depth",
            "Tokio tasks in the runtime's global queue.",
            metrics.global_queue_depth(),
        ),
    ];
    for (name, help, value) in gauges {
        encoder.family(name, Kind::Gauge, help).sample(&[], value);
    }
    per_worker(metrics, workers, encoder);
    per_runtime(monitors, encoder);
}

/// The results of the heartbeat.
fn per_runtime(monitors: &[Arc<RuntimeMonitor>], encoder: &mut Encoder<'_>) {
    let help = "Time from the last spawn of a probe task to its first poll.";
    let mut family = encoder.family("tokio_spawn_delay_seconds", Kind::Gauge, help);
    for monitor in monitors {
        let (delay, _) = monitor.figures();
        family.sample(&[("runtime", &monitor.name)], delay.as_secs_f64());
    }
    let help = "Spawns of a probe task that exceeded the stall timeout.";
    let mut family = encoder.family("tokio_stalls", Kind::Counter, help);
    for monitor in monitors {
        let (_, stalls) = monitor.figures();
        family.sample(&[("runtime", &monitor.name)], stalls);
    }
}

/// Tokio has these on targets with 64-bit atomics alone.
#[cfg(target_has_atomic = "64")]
fn per_worker(metrics: &RuntimeMetrics, workers: usize, encoder: &mut Encoder<'_>) {
    let help = "Busy time of a worker.";
    let mut family = encoder.family("tokio_worker_busy_seconds", Kind::Counter, help);
    for worker in 0..workers {
        let busy = metrics.worker_total_busy_duration(worker).as_secs_f64();
        family.sample(&[("worker", &worker.to_string())], busy);
    }
    let help = "Times that a worker parked because it had no work.";
    let mut family = encoder.family("tokio_worker_parks", Kind::Counter, help);
    for worker in 0..workers {
        family.sample(&[("worker", &worker.to_string())], metrics.worker_park_count(worker));
    }
}

#[cfg(not(target_has_atomic = "64"))]
fn per_worker(_: &RuntimeMetrics, _: usize, _: &mut Encoder<'_>) {}
