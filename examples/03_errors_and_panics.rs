//! Errors and panics in the report.
//!
//! The report holds every failure in order. No failure replaces another, and a panic is a failure.
//! The error that `wait` returns names the root cause and has it as its source, so downcasts work.
//!
//! Expected exit code: 1
#![allow(clippy::print_stdout, reason = "an example talks to its reader")]

use std::{error::Error, process::ExitCode};

use taskkit::{Manager, manager::FailureKind, task_fn};

#[derive(Debug, thiserror::Error)]
#[error("lease of partition {partition} was lost")]
struct LeaseLost {
    partition: u32,
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let manager = Manager::new();

    // Panics during the shutdown: reported after the root cause.
    manager.run(task_fn("uploader", async |ctx| {
        ctx.cancelled().await;
        panic!("nothing to upload");
    }))?;
    // Ends cleanly.
    manager.run(task_fn("sampler", async |ctx| {
        ctx.cancelled().await;
        Ok(())
    }))?;
    // A cleanup runs after failures too, and its own failure is reported.
    manager.cleanup("spool", async || anyhow::bail!("disk is full"))?;
    // Its failure stops the group and is the root cause. Last, since a stopped group refuses tasks.
    manager.run(task_fn("consumer", async |_ctx| Err(LeaseLost { partition: 7 }.into())))?;

    let Err(error) = manager.wait().await else { unreachable!("the consumer fails") };
    println!("error:  {error}");
    println!("source: {:?}", error.source().map(ToString::to_string));
    if let Some(LeaseLost { partition }) = error.downcast_ref() {
        println!("the partition was {partition}");
    }

    let Some(report) = error.report() else { unreachable!("the error is of a shutdown") };
    for failure in report.failures() {
        match &failure.kind {
            FailureKind::Panic(panic) => {
                println!("{} panicked, at {:?}", failure.name, panic.location);
            }
            _ => println!("{failure}"),
        }
    }
    println!("\n{report}");
    Ok(ExitCode::from(report.exit_code()))
}
