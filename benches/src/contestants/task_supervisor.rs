//! The crate `task-supervisor`. Names must be unique.

use anyhow::Result;
use task_supervisor::{CancellationToken, SupervisedTask, SupervisorBuilder, TaskResult};

use crate::{gate, laps::Laps};

#[derive(Clone)]
struct Worker;

impl SupervisedTask for Worker {
    async fn run(self, cancel: CancellationToken) -> TaskResult {
        gate::arrive();
        cancel.cancelled().await;
        Ok(())
    }
}

pub(super) async fn parked(count: usize, laps: &mut Laps) -> Result<()> {
    gate::expect(count);
    let mut builder = SupervisorBuilder::new();
    for number in 0..count {
        builder = builder.with_task(&number.to_string(), Worker);
    }
    let handle = builder.spawn();
    gate::all().await;
    laps.middle();
    handle.shutdown().await?;
    laps.end();
    Ok(())
}
