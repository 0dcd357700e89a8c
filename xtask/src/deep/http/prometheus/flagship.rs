//! The flagship on its embedded defaults: messages flow, it drains after SIGTERM and stops, and
//! Prometheus observes each step.

use anyhow::{Result, ensure};

use super::server::{Job, Prometheus, STEADY, Sample};
use crate::flagship::{self, START, STOP};
use crate::running::Running;
use crate::workspace::Workspace;

/// A long `linger.ms` delays the last deliveries, and with them the stop. The drain is longer, so
/// that messages arrive during it.
const FLAGS: &[&str] = &["--drain-delay=3s", "--kafka-setting=linger.ms=1500"];
/// For the stop, which takes some tenths of a second. A scrape that comes too late for it does no
/// harm.
const CLOSE: Job = Job { name: "close", interval_milliseconds: 50 };
/// It is scraped 15 times while it drains; a busy machine may lose some.
const DRAINING_SCRAPES: f64 = 12.0;
const LONGEST_GAP_SECONDS: f64 = 0.6;
const FLOWS: &str = "pipeline_records_produced_total{job=\"steady\"} > bool 1000";
/// Queries, and the single value that each must have.
const EXPECTED: &[(&str, f64)] = &[
    // It answered each scrape until it was gone.
    ("changes(up{job=\"steady\"}[5m])", 1.0),
    ("min_over_time(sum(task_manager_state{job=\"steady\"})[5m:100ms])", 1.0),
    ("max_over_time(task_manager_ready{job=\"steady\"}[5m])", 1.0),
    (
        "max_over_time((task_manager_ready{job=\"steady\"} and on(job) task_manager_state{state=\"running\"} == 0)[5m:100ms])",
        0.0,
    ),
    // It processes messages while it drains.
    (
        "changes((pipeline_messages_consumed_total{job=\"steady\"} \
         and on(job) task_manager_state{state=\"draining\"} == 1)[5m:100ms]) > bool 0",
        1.0,
    ),
    ("max_over_time(task_manager_shutdown_timeout_seconds{job=\"steady\"}[5m])", 25.0),
    // Each is less than the one before.
    (
        "resets(task_manager_shutdown_remaining_seconds{job=\"steady\"}[5m]) \
         == bool count_over_time(task_manager_shutdown_remaining_seconds{job=\"steady\"}[5m]) - 1",
        1.0,
    ),
    ("max_over_time(task_signals_received_total{job=\"steady\",signal=\"SIGTERM\"}[5m])", 1.0),
    (
        "max_over_time(task_exits_total{job=\"steady\",task=\"migrate\",outcome=\"completed\"}[5m])",
        1.0,
    ),
    (
        "min_over_time(task_exits_total{job=\"close\",task=\"generator\",outcome=\"completed\"}[5m])",
        0.0,
    ),
    (
        "max_over_time(task_exits_total{job=\"close\",task=\"generator\",outcome=\"completed\"}[5m])",
        1.0,
    ),
    (
        "max_over_time(task_exits_total{job=\"close\",task=\"purge\",outcome=\"completed\"}[5m])",
        1.0,
    ),
    ("sum(max_over_time(task_exits_total{outcome!=\"completed\"}[5m]))", 0.0),
    ("sum(max_over_time(task_failures[5m]))", 0.0),
];

pub(super) fn run(workspace: &Workspace) -> Result<()> {
    flagship::build(workspace).run()?;
    let mut service = flagship::start(workspace, "prometheus-flagship", FLAGS)?;
    let address =
        service.until("it logged the address of its metrics", START, flagship::address)?;
    let mut prometheus = Prometheus::start(workspace, address, &[STEADY, CLOSE])?;
    let watched = watch(&mut service, &mut prometheus);
    if watched.is_err() {
        println!("{}\n{}", service.output(), prometheus.output());
    }
    watched
}

fn watch(service: &mut Running, prometheus: &mut Prometheus) -> Result<()> {
    prometheus.until(FLOWS, 1.0)?;
    prometheus.until("task_manager_ready{job=\"steady\"}", 1.0)?;
    service.signal("TERM")?;
    let ended = service.ended(STOP)?;
    ensure!(ended.code() == Some(0), "{ended}, expected exit code 0");
    prometheus.until("max(up)", 0.0)?;
    in_order(&prometheus.samples("task_manager_state{job=\"close\"}", "state")?)?;
    without_gaps(&prometheus.samples("task_manager_state{job=\"steady\"}", "state")?)?;
    prometheus.check(EXPECTED)
}

/// Checks the order of the states. The cleanup comes after the HTTP server has ended.
fn in_order(states: &[Sample]) -> Result<()> {
    let mut held: Vec<&str> =
        states.iter().filter(|sample| sample.2 == 1.0).map(|sample| sample.1.as_str()).collect();
    held.dedup();
    println!("states: {}", held.join(", "));
    ensure!(held == ["running", "draining", "stopping"], "the states were {held:?}");
    Ok(())
}

/// Checks that no scrapes are missing, and that the drain was long enough.
fn without_gaps(states: &[Sample]) -> Result<()> {
    let draining: f64 = states.iter().filter(|it| it.1 == "draining").map(|it| it.2).sum();
    let gaps = states.windows(2).map(|pair| pair[1].0 - pair[0].0);
    let longest = gaps.fold(0.0, f64::max);
    println!("{draining} scrapes while it drained; at most {longest:.3} s between two");
    ensure!(longest < LONGEST_GAP_SECONDS, "{longest} s without a scrape");
    ensure!(draining >= DRAINING_SCRAPES, "only {draining} scrapes while it drained");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Sample, in_order, without_gaps};

    /// One sample every fifth of a second, of the state that holds and of one that does not.
    fn samples(states: &[(&str, u32)]) -> Vec<Sample> {
        let held = states.iter().flat_map(|(state, count)| (0..*count).map(move |_| *state));
        let timed = held.zip(0_u32..).map(|(state, number)| (f64::from(number) / 5.0, state));
        timed
            .flat_map(|(time, state)| {
                [(time, state.to_owned(), 1.0), (time, "cleanup".to_owned(), 0.0)]
            })
            .collect()
    }

    #[test]
    fn a_complete_shutdown_is_accepted() {
        let samples = samples(&[("running", 9), ("draining", 15), ("stopping", 1)]);
        in_order(&samples).unwrap();
        without_gaps(&samples).unwrap();
    }

    #[test]
    fn a_state_out_of_order_or_missing_is_found() {
        for states in [
            &[("running", 9), ("stopping", 3)][..],
            &[("running", 9), ("draining", 15)],
            &[("running", 9), ("stopping", 10), ("draining", 3)],
            &[("running", 9), ("draining", 10), ("running", 1), ("stopping", 3)],
        ] {
            assert!(in_order(&samples(states)).is_err(), "{states:?}");
        }
    }

    #[test]
    fn a_gap_or_too_short_a_drain_is_found() {
        let mut gap = samples(&[("running", 9), ("draining", 20), ("stopping", 1)]);
        gap.drain(24..30);
        assert!(without_gaps(&gap).is_err());
        let short = samples(&[("running", 9), ("draining", 9), ("stopping", 9)]);
        assert!(without_gaps(&short).is_err());
    }
}
