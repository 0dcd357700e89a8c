//! One task, stopped from outside.
//!
//! A *task* is a named unit of work; a *manager* owns a group of them. Stopping is a request: the task's context is
//! cancelled, and the task ends when it is ready to. `wait` returns when all is over, with a report of what happened.
//!
//! ```sh
//! cargo run -p task-examples --example 01_one_task
//! ```
#![allow(clippy::print_stdout, reason = "an example talks to its reader")]

use std::time::Duration;

use taskkit::{Context, Manager, task_fn};
use tokio::time::sleep;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let manager = Manager::new();

    // The shortest way to a task: a name, and an async closure that takes the task's context.
    manager.run(task_fn("counter", async |ctx| count(ctx).await))?;

    sleep(Duration::from_millis(350)).await;
    println!("asking the group to stop");
    manager.stop(); // only asks, and returns at once

    // `Ok` means that everything was clean. Exit code, failures, times: all is in the report.
    let report = manager.wait().await?;
    println!("{report}");
    Ok(())
}

/// Counts until it is asked to stop.
async fn count(ctx: Context) -> anyhow::Result<()> {
    for number in 1.. {
        println!("{number}");
        // Gives up the sleep when the group stops, and ends the task with `Cancelled`: a clean end.
        ctx.or_cancelled(sleep(Duration::from_millis(100))).await?;
    }
    Ok(())
}
