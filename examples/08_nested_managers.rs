//! Nested managers: a group per tenant, inside the group of the service.
//!
//! `into_task` turns a manager into a task, and another manager runs it. For the outer group it is
//! one critical task. The nested group keeps its own phases, time limits and cleanups:
//!
//! - When the outer group stops the task, the nested group stops: drain, phases, cleanups.
//! - When the nested group ends with failures, the task fails with them. The outer report names
//!   each with its path, such as `south/worker`.
//! - The cleanups of the outer group run after those of every nested group, so a resource that all
//!   tenants share is closed last.
//!
//! Here the worker of tenant `south` fails: `south` stops, the outer group stops, and `north` stops
//! with it.
//!
//! Expected exit code: 1
#![allow(clippy::print_stdout, reason = "an example talks to its reader")]

use std::{process::ExitCode, time::Duration};

use taskkit::{Manager, Phase, Task, task_fn};
use tokio::time::sleep;

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let service = Manager::builder().name("service").build()?;
    service.cleanup("pool", async || {
        println!("pool: closed, after the cleanups of all tenants");
        Ok(())
    })?;
    service.run(tenant("north")?.into_task())?;
    service.run(tenant("south")?.into_task())?;

    let Err(error) = service.wait().await else { unreachable!("one tenant fails") };
    println!("\n{error}"); // has the path: south/worker
    let Some(report) = error.report() else { unreachable!("the error is of a shutdown") };
    println!("{report}");
    Ok(ExitCode::from(report.exit_code()))
}

/// Returns the manager of one tenant. Its tasks start at once, before the outer group runs it.
fn tenant(name: &'static str) -> anyhow::Result<Manager> {
    let manager = Manager::builder().name(name).shutdown_timeout(Duration::from_secs(5)).build()?;
    manager.cleanup("session", async move || {
        println!("{name}: session closed");
        Ok(())
    })?;
    manager.run(
        task_fn("listener", async move |ctx| {
            ctx.cancelled().await;
            println!("{name}: listener stopped");
            Ok(())
        })
        .in_phase(Phase::INGRESS),
    )?;
    manager.run(task_fn("worker", async move |ctx| {
        if name == "south" {
            ctx.or_cancelled(sleep(Duration::from_millis(300))).await?;
            anyhow::bail!("the tenant's disk is full");
        }
        ctx.cancelled().await;
        println!("{name}: worker stopped");
        Ok(())
    }))?;
    Ok(manager)
}
