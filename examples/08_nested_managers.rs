//! A group within a group.
//!
//! A manager can be a task of another one. The inner group has its own phases, budgets and cleanups; the outer group
//! sees one task. Its stop is the inner group's, and the inner failures are in the outer report, with their path.
//! Here each tenant of a service is a group of its own.
//!
//! Expected exit code: 1
#![allow(clippy::print_stdout, reason = "an example talks to its reader")]

use std::{process::ExitCode, time::Duration};

use taskkit::{Manager, Phase, Task, task_fn};
use tokio::time::sleep;

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let service = Manager::builder().name("service").build()?;
    service.run(tenant("north")?.into_task())?;
    service.run(tenant("south")?.into_task())?;
    service.cleanup("pool", async || {
        println!("pool: closed, after the cleanups of all tenants");
        Ok(())
    })?;

    let Err(error) = service.wait().await else { unreachable!("one tenant fails") };
    println!("\n{error}"); // names the path: south/worker
    let Some(report) = error.report() else { unreachable!("it was a shutdown that went wrong") };
    println!("{report}");
    Ok(ExitCode::from(report.exit_code()))
}

/// Everything that works for one tenant.
fn tenant(name: &'static str) -> anyhow::Result<Manager> {
    let manager = Manager::builder()
        .name(name)
        .shutdown_timeout(Duration::from_secs(5))
        .cleanup_timeout(Duration::from_secs(1))
        .build()?;
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
