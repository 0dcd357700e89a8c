//! A service with a slow shutdown: open the page that it prints, then stop it with Ctrl-C.
//!
//! `cargo xtask deep` runs it, too, with browsers, scrapers and slow clients.
//!
//! Stopped with: SIGTERM after it printed `listening on`
#![allow(clippy::print_stdout, reason = "an example talks to its reader")]

use std::{env, time::Duration};

use task_core::{Context, Phase, Task, task_fn};
use task_http::{HttpTask, http::Response, text_source};
use task_manager::Manager;
use task_signal::SignalTask;
use tokio::time::sleep;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let manager = Manager::builder()
        .name("orders")
        .shutdown_timeout(Duration::from_secs(20))
        .drain_delay(Duration::from_secs(2))
        .build()?;
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:0".to_owned());
    let http = HttpTask::builder()
        .metrics(text_source(series))
        .check("database", async || Ok(()))
        .route("/version", async |_| Ok(Response::new(env!("CARGO_PKG_VERSION"))))
        .bind(address)?;
    println!("listening on http://{}/tasks", http.local_addr().expect("it is bound to TCP"));
    manager.run(SignalTask::new()?)?;
    manager.run(http)?;

    manager.run(ending("grpc", 800).in_phase(Phase::INGRESS).gating_readiness())?;
    manager.run(ending("consumer orders.v1", 3_000))?;
    manager.run(ending("outbox", 1_500))?;
    manager.run(failing("prices"))?;
    manager.run_ephemeral(task_fn("migrate", async |_| Ok(())))?;
    manager.wait().await?;
    Ok(())
}

/// A task that takes `millis` milliseconds to end, and sets its status meanwhile.
fn ending(name: &'static str, millis: u64) -> impl Task {
    task_fn(name, async move |ctx: Context| {
        ctx.set_ready(true);
        ctx.set_status("working");
        ctx.cancelled().await;
        for left in (0..=4_u32).rev() {
            ctx.set_status(format!("flushing, {left} batches left"));
            sleep(Duration::from_millis(millis / 5)).await;
        }
        Ok(())
    })
}

/// A task that survives a failure, and restarts.
fn failing(name: &'static str) -> impl Task {
    task_fn(name, async |ctx: Context| {
        ctx.record_failure(anyhow::anyhow!("the price list is missing"));
        ctx.record_restart();
        ctx.cancelled().await;
        sleep(Duration::from_millis(400)).await;
        Ok(())
    })
}

/// Returns as many series as a service of medium size has.
fn series() -> String {
    let mut text = String::from("# HELP orders_total Orders taken.\n# TYPE orders_total counter\n");
    for shop in 0..1000 {
        text.push_str(&format!("orders_total{{shop=\"{shop}\"}} {}\n", shop * 7));
    }
    text
}
