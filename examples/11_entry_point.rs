//! A complete `main`.
//!
//! `taskkit::main` takes a setup, an async closure that runs the tasks of the service. In order, it
//!
//! 1. creates the runtime and captures signals,
//! 2. runs the setup; an error in it stops the tasks that already run, and runs the cleanups; a
//!    signal drops it at its next await, before anything that it uses is closed,
//! 3. waits until the group has ended,
//! 4. prints the report to stderr, drops what is left on the runtime and returns the exit code.
//!
//! The deadlines hold when every worker of the runtime is blocked. If the main thread is blocked
//! too, the process ends one second after the shutdown timeout, with code 4.
//!
//! [`Service`] is `taskkit::main` with settings. The setup has a name, so that a test can run it.
#![allow(clippy::print_stdout, reason = "an example talks to its reader")]

use std::{process::ExitCode, time::Duration};

use taskkit::{Manager, Service, task_fn};
use tokio::time::sleep;

fn main() -> ExitCode {
    Service::new()
        .manager(|manager| manager.name("orders").shutdown_timeout(Duration::from_secs(10)))
        .run(setup)
}

/// Each resource with its cleanup, then the tasks that use it.
async fn setup(manager: &Manager) -> anyhow::Result<()> {
    let database = Database::connect("localhost").await?;
    manager.cleanup("database", {
        let database = database.clone();
        async move || database.close().await
    })?;
    manager.run(task_fn("consumer", async move |ctx| {
        for order in 1..=3 {
            ctx.or_cancelled(sleep(Duration::from_millis(100))).await?;
            println!("order {order} written to {}", database.0);
        }
        ctx.request_stop("the example is over"); // a signal or a failure stops it too
        Ok(())
    }))?;
    Ok(())
}

/// Stops the service whenever it is at rest: `cargo test --example 11_entry_point`.
#[test]
fn stops_cleanly_at_any_time() {
    task_testkit::assert_stops_within(Duration::from_secs(1), setup);
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
