//! A real Prometheus scrapes a service through its whole life, shutdown included, and is then asked what it saw.

use std::fs;
use std::net::{SocketAddr, TcpListener};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::{SOON, Service, is_installed};
use crate::command::Run;
use crate::http;
use crate::running::Running;
use crate::section::Ending;
use crate::workspace::Workspace;

const SERVER: &str = "prometheus";
/// What it must have seen: a query, and its one value.
const SEEN: &[(&str, f64)] = &[
    ("count(max_over_time(orders_total[5m]))", 1000.0),
    ("max_over_time(task_manager_state{state=\"draining\"}[5m])", 1.0),
    ("max_over_time(task_manager_state{state=\"stopping\"}[5m])", 1.0),
    ("max_over_time(task_manager_shutdown_timeout_seconds[5m])", 20.0),
    ("max_over_time(task_running{task=\"outbox\"}[5m])", 1.0),
    ("min_over_time(task_running{task=\"outbox\"}[5m])", 0.0),
    ("max_over_time(task_exits_total{task=\"migrate\",outcome=\"completed\"}[5m])", 1.0),
    ("max_over_time(task_exits_total{task=\"grpc\",outcome=\"completed\"}[5m])", 1.0),
    ("max_over_time(task_failures_total{task=\"prices\"}[5m])", 1.0),
    ("max_over_time(task_signals_received_total{signal=\"SIGTERM\"}[5m])", 1.0),
    ("max_over_time(task_manager_ready[5m])", 1.0),
    ("min_over_time(task_manager_ready[5m])", 0.0),
    // It was scraped while it was going, and the last thing seen is that it is gone.
    ("min_over_time(up[5m])", 0.0),
];

pub(crate) fn run(workspace: &Workspace) -> Result<Ending> {
    if !is_installed(workspace, SERVER) {
        return Ok(Ending::Skipped("prometheus is not installed (Debian: prometheus)".to_owned()));
    }
    let mut service = Service::start(workspace)?;
    let folder = workspace.target.join("prometheus");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    let config = format!(
        "global: {{scrape_interval: 250ms, scrape_timeout: 200ms}}\nscrape_configs:\n- job_name: orders\n  \
         static_configs: [{{targets: ['{}']}}]\n",
        service.address
    );
    fs::write(folder.join("prometheus.yml"), config)?;
    let own = free_address()?;
    let run = Run::program(workspace, SERVER).arguments([
        format!("--config.file={}", folder.join("prometheus.yml").display()),
        format!("--storage.tsdb.path={}", folder.join("data").display()),
        format!("--web.listen-address={own}"),
    ]);
    let mut prometheus = Running::start(run.into_command())?;
    let watched = watch(&mut service, &mut prometheus, own);
    if watched.is_err() {
        println!("{}", prometheus.output());
    }
    watched?;
    Ok(Ending::Passed)
}

fn watch(service: &mut Service, prometheus: &mut Running, own: SocketAddr) -> Result<()> {
    let is = |query: &str, expected: f64| {
        // Nobody listens there at first.
        let found = ask(own, query).unwrap_or_default();
        Ok((found == Some(expected)).then_some(()))
    };
    prometheus.until("it scrapes", SOON, |_| is("up", 1.0))?;
    prometheus.until("it scraped the work", SOON, |_| {
        is("max_over_time(task_running{task=\"outbox\"}[5m])", 1.0)
    })?;
    service.terminate()?;
    service.running.ended(SOON)?;
    prometheus.until("it sees the service gone", SOON, |_| is("up", 0.0))?;
    for (query, expected) in SEEN {
        let found = ask(own, query)?;
        println!("{query} = {found:?}");
        ensure!(found == Some(*expected), "{query}: {found:?} instead of {expected}");
    }
    Ok(())
}

/// The value of a query with one result.
fn ask(prometheus: SocketAddr, query: &str) -> Result<Option<f64>> {
    let encoded: String = query.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let (status, body) = http::get(prometheus, &format!("/api/v1/query?query={encoded}"))?;
    ensure!(status == 200, "{query}: {status} {body}");
    let answer: Value = serde_json::from_str(&body)?;
    let results = answer["data"]["result"].as_array().context("no result")?;
    ensure!(results.len() <= 1, "{query}: {} results", results.len());
    let value = results.first().and_then(|result| result["value"][1].as_str());
    Ok(value.and_then(|value| value.parse().ok()))
}

fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
