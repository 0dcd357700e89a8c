//! Starts a Prometheus server that scrapes one address, and queries it.

use std::fs;
use std::net::{SocketAddr, TcpListener};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::super::SOON;
use crate::command::Run;
use crate::http;
use crate::running::Running;
use crate::workspace::Workspace;

pub(super) const PROGRAM: &str = "prometheus";
/// The job that scrapes five times a second.
pub(super) const STEADY: Job = Job { name: "steady", interval_milliseconds: 200 };

pub(super) struct Prometheus {
    running: Running,
    address: SocketAddr,
}

/// A scrape job. Its name is the label `job` of its samples.
pub(super) struct Job {
    pub(super) name: &'static str,
    pub(super) interval_milliseconds: u32,
}

/// A sample: its time in seconds, the value of the requested label, and its value.
pub(super) type Sample = (f64, String, f64);

impl Prometheus {
    /// Starts it with an empty storage, and waits until it has scraped `target`.
    pub(super) fn start(workspace: &Workspace, target: SocketAddr, jobs: &[Job]) -> Result<Self> {
        let folder = workspace.target.join("prometheus");
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        let mut config = "scrape_configs:\n".to_owned();
        for Job { name, interval_milliseconds: interval } in jobs {
            config += &format!(
                "- job_name: {name}\n  scrape_interval: {interval}ms\n  scrape_timeout: {interval}ms\n  \
                 static_configs: [{{targets: ['{target}']}}]\n"
            );
        }
        fs::write(folder.join("prometheus.yml"), config)?;
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let run = Run::program(workspace, PROGRAM).arguments([
            format!("--config.file={}", folder.join("prometheus.yml").display()),
            format!("--storage.tsdb.path={}", folder.join("data").display()),
            format!("--web.listen-address={address}"),
        ]);
        let mut prometheus = Self { running: Running::start(run.into_command())?, address };
        prometheus.until("min(up)", 1.0)?;
        Ok(prometheus)
    }

    /// Returns its log.
    pub(super) fn output(&self) -> String {
        self.running.output()
    }

    /// Polls until the query has this value.
    pub(super) fn until(&mut self, query: &str, expected: f64) -> Result<()> {
        let address = self.address;
        self.running.until(&format!("{query} is {expected}"), SOON, |_| {
            // The connection is refused until the server listens.
            let found = value(address, query).unwrap_or_default();
            Ok((found == Some(expected)).then_some(()))
        })
    }

    /// Compares each query's single value.
    pub(super) fn check(&self, expectations: &[(&str, f64)]) -> Result<()> {
        for (query, expected) in expectations {
            let found = value(self.address, query)?;
            println!("{query} = {found:?}");
            ensure!(found == Some(*expected), "{query}: {found:?} instead of {expected}");
        }
        Ok(())
    }

    /// Returns the stored samples of the last five minutes, oldest first, each with the value of
    /// one of its labels.
    pub(super) fn samples(&self, selector: &str, label: &str) -> Result<Vec<Sample>> {
        let mut samples = Vec::new();
        for series in query(self.address, &format!("{selector}[5m]"))? {
            let name = series["metric"][label].as_str().unwrap_or_default();
            for pair in series["values"].as_array().context("no samples")? {
                let time = pair[0].as_f64().context("a sample without a time")?;
                let value = pair[1].as_str().and_then(|value| value.parse().ok());
                samples.push((time, name.to_owned(), value.context("a sample without a value")?));
            }
        }
        samples.sort_by(|one, other| one.0.total_cmp(&other.0));
        Ok(samples)
    }
}

/// Returns the value of a query with at most one result.
fn value(prometheus: SocketAddr, text: &str) -> Result<Option<f64>> {
    let results = query(prometheus, text)?;
    ensure!(results.len() <= 1, "{text}: {} results", results.len());
    let value = results.first().and_then(|result| result["value"][1].as_str());
    Ok(value.and_then(|value| value.parse().ok()))
}

fn query(prometheus: SocketAddr, text: &str) -> Result<Vec<Value>> {
    let encoded: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let (status, body) = http::get(prometheus, &format!("/api/v1/query?query={encoded}"))?;
    ensure!(status == 200, "{text}: {status} {body}");
    let mut answer: Value = serde_json::from_str(&body)?;
    match answer["data"]["result"].take() {
        Value::Array(results) => Ok(results),
        _ => anyhow::bail!("{text}: no result in {body}"),
    }
}
