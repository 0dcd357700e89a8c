//! The smallest service on `task-service`.

use std::{process::ExitCode, time::Duration};

use task_manager::{Context, task_fn};

fn main() -> ExitCode {
    task_service::main(async |manager| {
        for _ in 0..2 {
            manager.run(task_fn("worker", async |ctx: Context| {
                loop {
                    ctx.or_cancelled(tokio::time::sleep(Duration::from_secs(1))).await?;
                }
            }))?;
        }
        Ok(())
    })
}
