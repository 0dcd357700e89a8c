//! Several tasks, and what has to be closed after them.
//!
//! - A task that is given to `run` is *critical*: when it ends, cleanly or not, the whole group stops. That is what a
//!   service wants of its parts: half a service is worse than none.
//! - A task that is given to `run_ephemeral` may end cleanly without further notice; its failure stops the group.
//! - Cleanups run when all tasks have ended, in reverse order of their registration: what was opened last is closed
//!   first.
#![allow(clippy::print_stdout, reason = "an example talks to its reader")]

use std::time::Duration;

use taskkit::{Manager, Outcome, task_fn};
use tokio::{sync::mpsc, time::sleep};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let manager = Manager::new();

    // Registered where the resource is opened, so that it cannot be forgotten.
    manager.cleanup("database", async || {
        println!("cleanup: closing the database");
        Ok(())
    })?;
    manager.cleanup("statistics", async || {
        println!("cleanup: writing statistics to the database, which is still open");
        Ok(())
    })?;

    // A one-off job that must be over before the rest begins.
    let migration = manager.run_ephemeral(task_fn("migration", async |_ctx| {
        println!("migration: done");
        Ok(())
    }))?;
    assert_eq!(migration.ended().await, Outcome::Completed);

    let (orders, mut queue) = mpsc::channel::<u32>(10);
    manager.run(task_fn("consumer", async move |ctx| {
        // Ready work wins over the stop: what is in the queue is still handled.
        while let Some(order) = ctx.ready_or_cancelled(queue.recv()).await? {
            println!("consumer: order {order}");
            sleep(Duration::from_millis(20)).await; // never cut in half: no `or_cancelled` around it
        }
        Ok(())
    }))?;
    manager.run(task_fn("producer", async move |_ctx| {
        for order in 1..=5 {
            orders.send(order).await?;
        }
        println!("producer: no more orders, so the group stops");
        Ok(())
    }))?;

    let report = manager.wait().await?;
    println!("\n{report}");
    Ok(())
}
