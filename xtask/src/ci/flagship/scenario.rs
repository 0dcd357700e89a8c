//! One run of the service: it starts on its embedded defaults, messages flow, it is probed and
//! scraped, it drains after SIGTERM, and its counts add up.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};

use crate::flagship::{self, START, STOP};
use crate::http;
use crate::running::Running;
use crate::workspace::Workspace;

/// Long enough for many probes, so that they observe the drain.
const DRAIN: &str = "--drain-delay=2s";
/// The number of messages before it is stopped.
const MESSAGES: f64 = 1000.0;

pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let mut service = flagship::start(workspace, "flagship", &[DRAIN])?;
    let result = observe(&mut service);
    println!("{}", service.output());
    result
}

fn observe(service: &mut Running) -> Result<()> {
    let begun = Instant::now();
    let address = service.until("it logged the address of its probes", START, flagship::address)?;
    ensure!(status(address, "/livez")? == 200, "/livez is not 200 from the start");
    service.until("/readyz is 200", START, |_| {
        Ok((status(address, "/readyz")? == 200).then_some(()))
    })?;
    println!("ready after {} ms", begun.elapsed().as_millis());
    service.until("messages flow", START, |_| {
        let metrics = metrics(address)?;
        let value =
            |name: &str| metrics.get(name).copied().with_context(|| format!("no metric {name}"));
        let flows = value("pipeline_messages_consumed_total")? >= MESSAGES
            && value("pipeline_records_produced_total")? > 0.0
            && value("pipeline_messages_dead_lettered_total")? > 0.0;
        Ok(flows.then_some(()))
    })?;
    for path in ["/livez", "/readyz", "/startupz", "/tasks"] {
        ensure!(status(address, path)? == 200, "{path} is not 200 while it runs");
    }
    println!("{MESSAGES} messages after {} ms", begun.elapsed().as_millis());

    let signalled = Instant::now();
    service.signal("TERM")?;
    service.until("/readyz is 503 while it drains", STOP, |_| {
        Ok((status(address, "/readyz")? == 503).then_some(()))
    })?;
    ensure!(status(address, "/livez")? == 200, "/livez is not 200 while it drains");
    let ended = service.ended(STOP)?;
    println!("{ended} {} ms after SIGTERM", signalled.elapsed().as_millis());
    ensure!(ended.code() == Some(0), "{ended}, expected exit code 0");
    check(&service.output())
}

/// Checks the final output of the service: a clean report with its cause, and totals that add up.
fn check(output: &str) -> Result<()> {
    ensure!(
        output.contains("clean; cause: signal SIGTERM"),
        "no report of a clean stop by SIGTERM"
    );
    let totals = totals(output).context("no line of totals at the end")?;
    let total =
        |name: &str| totals.get(name).copied().with_context(|| format!("no total `{name}`"));
    let (consumed, produced, dead) =
        (total("consumed")?, total("produced")?, total("dead_lettered")?);
    ensure!(
        consumed == produced + dead,
        "{consumed} consumed, {produced} produced, {dead} dead-lettered"
    );
    ensure!(total("settled")? == consumed, "not every message that was consumed is settled");
    ensure!(total("in_flight")? == 0, "messages were in flight at the end");
    ensure!(total("rows")? == produced, "not every record that was produced is in the database");
    Ok(())
}

fn status(address: SocketAddr, path: &str) -> Result<u16> {
    Ok(http::get(address, path)?.0)
}

/// Returns the samples of `/metrics` that have no labels.
fn metrics(address: SocketAddr) -> Result<BTreeMap<String, f64>> {
    let (status, body) = http::get(address, "/metrics")?;
    ensure!(status == 200, "/metrics is {status}");
    let samples = body.lines().filter_map(|line| line.split_once(' '));
    Ok(samples.filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?))).collect())
}

/// Returns the `name=number` pairs of the last line that begins with `totals:`.
fn totals(output: &str) -> Option<BTreeMap<&str, u64>> {
    let line = output.lines().rev().find_map(|line| line.strip_prefix("totals: "))?;
    let pairs = line.split_whitespace().filter_map(|pair| pair.split_once('='));
    Some(pairs.filter_map(|(name, value)| Some((name, value.parse().ok()?))).collect())
}

#[cfg(test)]
mod tests {
    use super::check;

    const REPORT: &str =
        "pipeline stopped in 2.20 s of 25.00 s, clean; cause: signal SIGTERM (task `signals`)\n";

    #[test]
    fn totals_that_add_up_after_a_clean_report_are_accepted() {
        let totals =
            "totals: consumed=10 produced=9 dead_lettered=1 settled=10 in_flight=0 rows=9 more=7\n";
        check(&format!("{REPORT}{totals}")).unwrap();
        assert!(check(totals).is_err());
    }

    #[test]
    fn a_message_that_is_missing_is_found() {
        for totals in [
            "",
            "totals: consumed=10 produced=8 dead_lettered=1 settled=10 in_flight=0 rows=8\n",
            "totals: consumed=10 produced=9 dead_lettered=1 settled=9 in_flight=0 rows=9\n",
            "totals: consumed=10 produced=9 dead_lettered=1 settled=10 in_flight=1 rows=9\n",
            "totals: consumed=10 produced=9 dead_lettered=1 settled=10 in_flight=0 rows=8\n",
            "totals: consumed=10 produced=9 dead_lettered=1 settled=10 rows=9\n",
        ] {
            assert!(check(&format!("{REPORT}{totals}")).is_err(), "{totals}");
        }
    }
}
