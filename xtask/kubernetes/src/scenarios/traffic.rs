//! How long after its deletion a pod gets new connections.

use std::{thread::sleep, time::Duration};

use anyhow::{Context as _, Result, ensure};

use crate::{stage::Stage, traffic::now};

/// The numbers of endpoints, and how many pods are deleted with each.
const ENDPOINTS: &[usize] = &[2, 10];
const ROUNDS: usize = 10;
/// How long a deleted pod is listened to: shorter than its grace.
const WAIT: Duration = Duration::from_secs(8);
/// The drain of the preset for Kubernetes, in milliseconds.
const DRAIN: i64 = 5_000;

pub(crate) fn last_connections(stage: &Stage<'_>) -> Result<String> {
    let mut all = Vec::new();
    for endpoints in ENDPOINTS {
        let times = measure(stage, *endpoints)?;
        let (first, last) = (times[0], times[times.len() - 1]);
        let median = times[times.len() / 2];
        all.push(format!("{endpoints} endpoints: {first} to {last} ms, median {median} ms"));
        ensure!(last < DRAIN, "longer than the drain: {times:?}");
    }
    Ok(format!("the last connection after a deletion, {ROUNDS} times: {}", all.join("; ")))
}

/// Returns the times in order.
fn measure(stage: &Stage<'_>, endpoints: usize) -> Result<Vec<i64>> {
    let address = stage.servers(endpoints)?;
    let load = stage.load("connect", &address)?;
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        stage.rolled_out()?;
        // Until each endpoint has had some.
        sleep(Duration::from_secs(2));
        let pod = stage.pods()?.pop().context("there is no pod")?;
        let deleted = now();
        stage.node.kubectl(&["delete", "pod", &pod, "--wait=false"])?;
        sleep(WAIT);
        let logs = stage.node.kubectl(&["logs", &pod, "--tail=1"])?;
        let last: i64 = logs.trim().parse().with_context(|| format!("{pod} printed {logs:?}"))?;
        times.push(last - deleted);
    }
    drop(load);
    stage.close()?;
    times.sort_unstable();
    Ok(times)
}
