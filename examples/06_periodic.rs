//! Periodic work: a loop with a pause, a poll at a fixed rate, and a cron schedule.
//!
//! Periodic tasks survive a failed run and back off after it. A stop lets the current run finish.
//! Their status shows the number of runs and the result of the last one.
#![allow(clippy::print_stdout, reason = "an example talks to its reader")]

use std::time::Duration;

use taskkit::{
    CronTask, LoopTask, Manager, PollTask, Task,
    periodic::{Backoff, CronSchedule, FirstRun, Jitter, OnFailure, stateful},
};
use tokio::time::sleep;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    // A failure that a task survives is an event in the log.
    tracing_subscriber::fmt().with_target(false).init();
    let manager = Manager::new();

    // The pause is between the end of a run and the start of the next. `stateful` keeps state from
    // run to run; so does a type that implements `Action`.
    let sweep = stateful(0, async |swept: &mut u32, _ctx| {
        *swept += 10;
        println!("sweep: {swept} rows so far");
        Ok(())
    });
    manager.run(
        LoopTask::with_action("sweep", Duration::from_millis(200), sweep)?
            .first_run(FirstRun::OnSchedule),
    )?;

    // One run per period. Each run gets a clone of what the closure captures.
    let url = String::from("https://prices.example");
    manager.run(
        PollTask::new("prices", Duration::from_millis(150), async move |_ctx| fetch(&url).await)?
            .run_timeout(Duration::from_millis(100))
            .on_failure(OnFailure::FailAfter(5))
            .backoff(Backoff::new(Duration::from_millis(50), Duration::from_secs(1))?)
            .jitter(Jitter::fraction(0.1)?)
            .gating_readiness(), // ready after the first successful run
    )?;

    // At times of day in a time zone, through changes to and from summer time.
    let schedule = CronSchedule::in_zone("30 3 * * MON-FRI", "Europe/Berlin")?;
    manager.run(CronTask::new("report", schedule, async |_ctx| Ok(())))?;

    manager.ready().await?;
    println!("ready: prices are loaded");
    sleep(Duration::from_millis(700)).await;
    for task in manager.group().snapshot().tasks {
        println!("{}: {}", task.name, task.status.as_deref().unwrap_or("has not run yet"));
    }
    println!("\n{}", manager.shutdown().await?);
    Ok(())
}

/// Fails the first time.
async fn fetch(url: &str) -> anyhow::Result<()> {
    static CALLS: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    sleep(Duration::from_millis(10)).await;
    if CALLS.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0 {
        anyhow::bail!("{url} refused the connection");
    }
    println!("prices: fetched");
    Ok(())
}
