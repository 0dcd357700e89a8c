//! Several tasks, and the cleanups that run after them.
//!
//! - `run` starts a *critical* task: when it ends, cleanly or not, the whole group stops. A service
//!   that has lost one of its parts should restart as a whole.
//! - `run_ephemeral` starts a job: its clean end changes nothing, its failure stops the group.
//! - Cleanups run after the last task has ended, in reverse order of registration, so that what was
//!   opened last is closed first.
#![allow(clippy::print_stdout, reason = "an example talks to its reader")]

use std::time::Duration;

use taskkit::{Manager, Outcome, task_fn};
use tokio::{sync::mpsc, time::sleep};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let manager = Manager::new();

    // Register a cleanup where the resource is opened, so that it is never forgotten.
    manager.cleanup("database", async || {
        println!("cleanup: closing the database");
        Ok(())
    })?;
    manager.cleanup("statistics", async || {
        println!("cleanup: writing statistics; the database is still open");
        Ok(())
    })?;

    // A job that has to end before the other tasks start.
    let migration = manager.run_ephemeral(task_fn("migration", async |_ctx| {
        println!("migration: done");
        Ok(())
    }))?;
    assert_eq!(migration.ended().await, Outcome::Completed);

    let (orders, mut queue) = mpsc::channel::<u32>(10);
    manager.run(task_fn("consumer", async move |ctx| {
        // A ready message takes precedence over the stop, so the queue is emptied first.
        while let Some(order) = ctx.ready_or_cancelled(queue.recv()).await? {
            println!("consumer: order {order}");
            sleep(Duration::from_millis(20)).await; // not cancelled: no `or_cancelled`
        }
        Ok(())
    }))?;
    manager.run(task_fn("producer", async move |_ctx| {
        for order in 1..=5 {
            orders.send(order).await?;
        }
        println!("producer: no more orders; its end stops the group");
        Ok(())
    }))?;

    let report = manager.wait().await?;
    println!("\n{report}");
    Ok(())
}
