//! The smallest service on `task-manager` and `task-signal`.

use std::time::Duration;

use task_manager::{Context, Manager, task_fn};
use task_signal::SignalTask;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let manager = Manager::new();
    manager.run(SignalTask::new()?)?;
    for _ in 0..2 {
        manager.run(task_fn("worker", async |ctx: Context| {
            loop {
                ctx.or_cancelled(tokio::time::sleep(Duration::from_secs(1))).await?;
            }
        }))?;
    }
    manager.wait().await?;
    Ok(())
}
