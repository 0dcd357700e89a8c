//! One task, stopped from outside.
//!
//! A *task* is a named unit of work, and a *manager* owns a group of them. A stop is a request: the
//! manager cancels the task's context, and the task returns. `wait` returns once every task has
//! ended, with a report.
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

    // A task from a name and an async closure, which receives the task's context.
    manager.run(task_fn("counter", async |ctx| count(ctx).await))?;

    sleep(Duration::from_millis(350)).await;
    println!("asking the group to stop");
    manager.stop(); // requests the stop and returns at once

    // `Ok` means that everything was clean. The report has the exit code, failures and times.
    let report = manager.wait().await?;
    println!("{report}");
    Ok(())
}

/// Counts until the group stops.
async fn count(ctx: Context) -> anyhow::Result<()> {
    for number in 1.. {
        println!("{number}");
        // When the group stops, this drops the sleep and returns `Cancelled`, which is a clean end.
        ctx.or_cancelled(sleep(Duration::from_millis(100))).await?;
    }
    Ok(())
}
