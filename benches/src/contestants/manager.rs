//! `task-manager`.

use anyhow::{Result, bail};
use task_manager::{Context, Manager, Timeout, task_fn};
use tokio::sync::oneshot;

use crate::{gate, laps::Laps, scenario::BATCH};

pub(super) async fn parked(count: usize, laps: &mut Laps) -> Result<()> {
    gate::expect(count);
    let manager = manager()?;
    park(&manager, count)?;
    gate::all().await;
    laps.middle();
    manager.stop();
    manager.wait().await?;
    laps.end();
    Ok(())
}

pub(super) async fn ephemeral(count: usize, laps: &mut Laps) -> Result<()> {
    let manager = manager()?;
    for batch in 0..count / BATCH {
        gate::expect(BATCH);
        for _ in 0..BATCH {
            manager.run_ephemeral(task_fn("job", async |_| {
                gate::arrive();
                Ok(())
            }))?;
        }
        gate::all().await;
        if batch == count / BATCH / 10 {
            laps.restart();
        }
    }
    manager.wait().await?;
    laps.end();
    Ok(())
}

pub(super) async fn failure(count: usize, laps: &mut Laps) -> Result<()> {
    gate::expect(count);
    let manager = manager()?;
    park(&manager, count)?;
    let (go, fail) = oneshot::channel::<()>();
    manager.run(task_fn("failing", async move |_| {
        let _ = fail.await;
        anyhow::bail!("the first failure")
    }))?;
    gate::all().await;
    laps.restart();
    let _ = go.send(());
    let ended = manager.wait().await;
    laps.end();
    if ended.is_ok() {
        bail!("no failure was seen");
    }
    Ok(())
}

pub(super) async fn panic(count: usize, laps: &mut Laps) -> Result<()> {
    gate::expect(count);
    let manager = manager()?;
    for _ in 0..count {
        manager.run(task_fn("worker", async |ctx: Context| {
            gate::arrive();
            ctx.cancelled().await;
            super::panics()
        }))?;
    }
    gate::all().await;
    laps.restart();
    manager.stop();
    let ended = manager.wait().await;
    laps.end();
    let failures = ended.err().and_then(|error| {
        let report = error.report()?;
        Some(report.failures().len() + usize::try_from(report.omitted_failures()).ok()?)
    });
    if failures != Some(count) {
        bail!("{failures:?} of {count} panics were seen");
    }
    Ok(())
}

/// Returns a manager without a `shutdown_timeout`: on a busy machine, no task may be aborted.
fn manager() -> Result<Manager> {
    Ok(Manager::builder().shutdown_timeout(Timeout::Never).build()?)
}

fn park(manager: &Manager, count: usize) -> Result<()> {
    for _ in 0..count {
        manager.run(task_fn("worker", async |ctx: Context| {
            gate::arrive();
            ctx.cancelled().await;
            Ok(())
        }))?;
    }
    Ok(())
}
