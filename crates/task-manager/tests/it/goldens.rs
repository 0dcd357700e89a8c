//! The reports in the documentation of [`Report`]: as the code writes them, word for word.

use std::time::Duration;

use anyhow::anyhow;
use task_manager::{Context, Manager, Phase, Report, Task, task_fn};
use tokio::time::sleep;

use crate::support::{SECOND, worker};

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// Needs so long to end.
fn takes(name: impl Into<String>, time: Duration) -> impl Task {
    let run = async move |ctx: Context| {
        ctx.cancelled().await;
        sleep(time).await;
        Ok(())
    };
    task_fn(name.into(), run)
}

/// Requests a stop after some time, as a task that handles signals does.
fn signals(after: Duration) -> impl Task {
    let run = async move |ctx: Context| {
        sleep(after).await;
        ctx.request_stop("signal SIGTERM");
        ctx.cancelled().await;
        Ok(())
    };
    task_fn("signals", run).in_phase(Phase::SUPPORT)
}

#[track_caller]
fn assert_golden(report: &Report, golden: &str) {
    let text = report.to_string();
    assert_eq!(text, golden.trim_end(), "\n{text}");
}

#[tokio::test(start_paused = true)]
async fn clean() {
    let manager = Manager::builder().name("orders").drain_delay(2 * SECOND).build().unwrap();
    manager.run(takes("server", ms(120)).in_phase(Phase::INGRESS)).unwrap();
    manager.run(takes("consumer", ms(1_500))).unwrap();
    manager.run(takes("producer", ms(90))).unwrap();
    manager.run(worker("purge")).unwrap();
    manager.run(worker("metrics").in_phase(Phase::SUPPORT)).unwrap();
    manager.run(signals(7_421 * SECOND)).unwrap();
    let close = async || {
        sleep(ms(41)).await;
        Ok(())
    };
    manager.cleanup("database", close).unwrap();
    let report = manager.wait().await.unwrap();
    assert_golden(&report, include_str!("../../src/report/golden/clean.txt"));
}

/// Fifty tasks lose their broker. Most notice, some hang, one has a bug of its own.
#[tokio::test(start_paused = true)]
async fn many() {
    let manager = Manager::builder().name("ingest").shutdown_timeout(10 * SECOND).build().unwrap();
    for index in 1..=40 {
        let read = async move |ctx: Context| {
            // The first that notices stops the others.
            if index == 7 {
                sleep(3 * SECOND).await;
            } else {
                ctx.cancelled().await;
                sleep(ms(5 * index)).await;
            }
            Err(anyhow!("connection reset").context("reading from broker-2:9092"))
        };
        let read = task_fn(format!("reader-{index:02}"), read);
        manager.run(read).unwrap();
    }
    for index in 1..=6 {
        let write = async move |ctx: Context| {
            ctx.set_status(format!("flushing {} records", 100 * index));
            std::future::pending().await
        };
        manager.run(task_fn(format!("writer-{index}"), write)).unwrap();
    }
    let index = async |ctx: Context| {
        ctx.cancelled().await;
        Err(anyhow!("segment 12 is corrupt"))
    };
    manager.run(task_fn("index", index)).unwrap();
    manager.run(takes("merge", ms(700))).unwrap();
    manager.run(worker("purge")).unwrap();
    manager.run(worker("metrics").in_phase(Phase::SUPPORT)).unwrap();
    let close = async || {
        sleep(ms(80)).await;
        Ok(())
    };
    manager.cleanup("index lock", close).unwrap();
    manager.cleanup("temporary files", async || Err(anyhow!("disk full"))).unwrap();
    let error = manager.wait().await.unwrap_err();
    let report = error.report().unwrap();
    assert_eq!(report.totals().started, 50);
    assert_golden(report, include_str!("../../src/report/golden/many.txt"));
    assert!(report.to_string().lines().count() <= 24, "{report}");
}

/// A test in real time, `words` of `tests/wedge`, holds the text of the stuck task itself.
#[test]
fn the_readme_shows_the_same_report_of_a_stuck_task() {
    let readme = include_str!("../../../../README.md");
    let golden = include_str!("../../src/report/golden/stuck.txt");
    assert!(readme.contains(&format!("```text\n{golden}```")), "{golden}");
}
