//! What becomes of errors and panics.
//!
//! Every failure is in the report, in order; none replaces another, and a panic is a failure like any other. The
//! error that `wait` returns names the root cause; the error itself is its source, so downcasts work.
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

    // Fails, and thereby stops the group.
    manager.run(task_fn("consumer", async |_ctx| Err(LeaseLost { partition: 7 }.into())))?;
    // Panics on its way out: reported beside the root cause, not instead of it.
    manager.run(task_fn("uploader", async |ctx| {
        ctx.cancelled().await;
        panic!("nothing to upload");
    }))?;
    // Ends cleanly.
    manager.run(task_fn("sampler", async |ctx| {
        ctx.cancelled().await;
        Ok(())
    }))?;
    // A cleanup runs however the tasks ended, and may fail as well.
    manager.cleanup("spool", async || anyhow::bail!("disk is full"))?;

    let Err(error) = manager.wait().await else { unreachable!("the consumer fails") };
    println!("error:  {error}");
    println!("source: {:?}", error.source().map(ToString::to_string));
    if let Some(LeaseLost { partition }) = error.downcast_ref() {
        println!("the partition was {partition}");
    }

    let Some(report) = error.report() else { unreachable!("it was a shutdown that went wrong") };
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
