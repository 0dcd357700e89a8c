//! Restarts: a task that is run again after a failure, and a group that is restarted as one.
//!
//! - `restarting` calls its factory for each run. What the factory captures is kept: here the
//!   address and the number of the run.
//! - A run that fails is followed by a back-off. Its readiness ends with it.
//! - `restarting_group` stops all tasks of the group in order, runs its cleanups and begins anew.
//! - When a task fails too often, it fails for good, and its group stops.
//!
//! Expected exit code: 1
#![allow(clippy::print_stdout, reason = "an example talks to its reader")]

use std::{process::ExitCode, time::Duration};

use taskkit::{
    Context, Manager, Task,
    restart::{Backoff, FailureLimit, restarting, restarting_group},
    task_fn,
};
use tokio::time::sleep;

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let service = Manager::builder().name("service").build()?;
    // The default, from one second to one minute, would take too long for an example.
    let backoff = Backoff::new(Duration::from_millis(20), Duration::from_millis(100))?;

    let mut run = 0;
    let consumer = restarting(move || {
        run += 1;
        let this = run;
        Ok(task_fn("consumer", async move |ctx| consume(ctx, "broker:9092", this).await))
    })?;
    service.run(consumer.backoff(backoff).gating_readiness())?;

    let ingest = restarting_group("ingest", |group| {
        group.cleanup("offsets", async || {
            println!("ingest: offsets saved");
            Ok(())
        })?;
        group.run(task_fn("fetch", async |ctx: Context| {
            ctx.cancelled().await;
            Ok(())
        }))?;
        group.run(task_fn("parse", parse))?;
        Ok(())
    })?;
    // A third failure within a minute is one too many.
    let limit = FailureLimit::new(2, Duration::from_secs(60))?;
    service.run(ingest.backoff(backoff).limit(limit))?;

    let Err(error) = service.wait().await else { unreachable!("`ingest` fails for good") };
    let Some(report) = error.report() else { unreachable!("the error is of a shutdown") };
    println!("\n{report}"); // `consumer` was restarted twice; `ingest` failed three times
    Ok(ExitCode::from(report.exit_code()))
}

async fn consume(ctx: Context, broker: &str, run: u32) -> anyhow::Result<()> {
    anyhow::ensure!(run > 2, "no route to {broker}");
    println!("consumer: connected in run {run}");
    ctx.set_ready(true);
    ctx.cancelled().await;
    Ok(())
}

async fn parse(ctx: Context) -> anyhow::Result<()> {
    ctx.or_cancelled(sleep(Duration::from_millis(100))).await?;
    anyhow::bail!("unexpected token")
}
