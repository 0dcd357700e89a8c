//! The shop: applied, replaced and killed under load.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};

use crate::stage::{Seen, Stage};

/// How long the load runs before something happens, and after it.
const CALM: Duration = Duration::from_secs(3);
const ROLLOUTS: usize = 20;

pub(crate) fn apply(stage: &Stage<'_>) -> Result<String> {
    let begun = Instant::now();
    stage.shop()?;
    let ready = begun.elapsed().as_secs_f64();
    let pods = stage.pods()?;
    ensure!(pods.len() == 2, "the pods are {pods:?}");
    let begun = Instant::now();
    stage.close()?;
    let gone = begun.elapsed().as_secs_f64();
    ensure!(gone < 30.0, "the pods are gone {gone:.1} s after the deletion, so they were killed");
    Ok(format!("ready after {ready:.1} s, gone {gone:.1} s after the deletion"))
}

pub(crate) fn rollout(stage: &Stage<'_>) -> Result<String> {
    let seen = under_load(stage, || {
        let before = stage.pods()?;
        stage.restart()?;
        let after = stage.pods()?;
        ensure!(!after.iter().any(|pod| before.contains(pod)), "{before:?} became {after:?}");
        // The old ones drain for as long.
        sleep(CALM * 3);
        Ok(())
    })?;
    ensure!(seen.failed == 0, "{} of {} failed: {}", seen.failed, seen.placed, seen.errors);
    Ok(format!("{} orders, none failed", seen.placed))
}

pub(crate) fn rollouts(stage: &Stage<'_>) -> Result<String> {
    let seen = under_load(stage, || {
        for number in 0..ROLLOUTS {
            stage.restart()?;
            if number % 5 == 4 {
                let replicas = if number % 10 == 4 { 4 } else { 2 };
                let replicas = format!("--replicas={replicas}");
                stage.node.kubectl(&["scale", "deployment", &stage.name, &replicas])?;
                stage.rolled_out()?;
            }
        }
        sleep(CALM * 3);
        Ok(())
    })?;
    ensure!(seen.failed == 0, "{} of {} failed: {}", seen.failed, seen.placed, seen.errors);
    Ok(format!("{ROLLOUTS} rollouts, {} orders, none failed", seen.placed))
}

pub(crate) fn force(stage: &Stage<'_>) -> Result<String> {
    let seen = under_load(stage, || {
        let pods = stage.pods()?;
        stage.kill(&pods[0])?;
        // It is gone at once, and another is made.
        sleep(CALM);
        stage.rolled_out()
    })?;
    Ok(format!("{} orders, {} requests failed and were repeated", seen.placed, seen.failed))
}

pub(crate) fn crash(stage: &Stage<'_>) -> Result<String> {
    let seen = under_load(stage, || {
        for pod in stage.pods()? {
            stage.signal(&pod, "shop", "KILL", "orders at http")?;
            stage.until(&pod, |status| {
                let is_again = status["restartCount"].as_i64().is_some_and(|count| count > 0);
                (is_again && status["ready"] == true).then_some(())
            })?;
        }
        Ok(())
    })?;
    Ok(format!("{} orders, {} requests failed and were repeated", seen.placed, seen.failed))
}

/// Does something while clients place orders. None of them may be lost.
fn under_load(stage: &Stage<'_>, act: impl FnOnce() -> Result<()>) -> Result<Seen> {
    let load = stage.load("load", &stage.shop()?)?;
    sleep(CALM);
    act()?;
    sleep(CALM);
    let seen = load.end()?;
    stage.close()?;
    ensure!(seen.lost == 0, "orders are lost: {seen:?}");
    ensure!(seen.placed > 0, "no order was placed: {seen:?}");
    Ok(seen)
}
