//! The example `slow_shutdown`, which has a task of every outcome.

use anyhow::Result;

use super::super::{SOON, Service};
use super::server::{Prometheus, STEADY};
use crate::workspace::Workspace;

/// Queries, and the single value that each must have.
const EXPECTED: &[(&str, f64)] = &[
    ("count(max_over_time(orders_total[5m]))", 1000.0),
    ("max_over_time(task_manager_state{state=\"draining\"}[5m])", 1.0),
    ("max_over_time(task_manager_state{state=\"stopping\"}[5m])", 1.0),
    ("max_over_time(task_manager_shutdown_timeout_seconds[5m])", 20.0),
    ("max_over_time(task_running{task=\"outbox\"}[5m])", 1.0),
    ("min_over_time(task_running{task=\"outbox\"}[5m])", 0.0),
    ("max_over_time(task_exits_total{task=\"migrate\",outcome=\"completed\"}[5m])", 1.0),
    ("max_over_time(task_exits_total{task=\"grpc\",outcome=\"completed\"}[5m])", 1.0),
    ("max_over_time(task_failures{task=\"prices\"}[5m])", 1.0),
    ("max_over_time(task_signals_received_total{signal=\"SIGTERM\"}[5m])", 1.0),
    ("max_over_time(task_manager_ready[5m])", 1.0),
    ("min_over_time(task_manager_ready[5m])", 0.0),
    // It was scraped during the shutdown, and the last scrape found it gone.
    ("min_over_time(up[5m])", 0.0),
];

pub(super) fn run(workspace: &Workspace) -> Result<()> {
    let mut service = Service::start(workspace)?;
    let mut prometheus = Prometheus::start(workspace, service.address, &[STEADY])?;
    let watched = watch(&mut service, &mut prometheus);
    if watched.is_err() {
        println!("{}", prometheus.output());
    }
    watched
}

fn watch(service: &mut Service, prometheus: &mut Prometheus) -> Result<()> {
    prometheus.until("max_over_time(task_running{task=\"outbox\"}[5m])", 1.0)?;
    service.terminate()?;
    service.running.ended(SOON)?;
    prometheus.until("up", 0.0)?;
    prometheus.check(EXPECTED)
}
