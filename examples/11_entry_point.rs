//! The whole of a service's `main`.
//!
//! `taskkit::main` makes the runtime, captures signals, runs this setup, waits for the group, prints the report, and
//! returns the exit code. It keeps the deadlines where nobody else could: if the runtime itself is blocked, it ends the
//! process one second after the budget. An error of the setup still stops what runs by then, and cleans up in order.
//!
//! [`Service`] is `taskkit::main` with settings.
#![allow(clippy::print_stdout, reason = "an example talks to its reader")]

use std::{process::ExitCode, time::Duration};

use taskkit::{Service, task_fn};
use tokio::time::sleep;

fn main() -> ExitCode {
    Service::new()
        .manager(|manager| manager.name("orders").shutdown_timeout(Duration::from_secs(10)))
        .run(async |manager| {
            let database = Database::connect("localhost").await?;
            manager.cleanup("database", {
                let database = database.clone();
                async move || database.close().await
            })?;
            manager.run(task_fn("consumer", async move |ctx| {
                for order in 1..=3 {
                    ctx.or_cancelled(sleep(Duration::from_millis(100))).await?;
                    println!("order {order} is in {}", database.0);
                }
                ctx.request_stop("the example is over"); // or a signal, or a failure
                Ok(())
            }))?;
            Ok(())
        })
}

#[derive(Clone)]
struct Database(&'static str);

impl Database {
    async fn connect(host: &'static str) -> anyhow::Result<Self> {
        Ok(Self(host))
    }

    async fn close(self) -> anyhow::Result<()> {
        println!("connection to {} closed", self.0);
        Ok(())
    }
}
