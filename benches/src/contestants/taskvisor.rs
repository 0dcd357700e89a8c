//! The crate `taskvisor`, without its limits. Names must be unique.

use anyhow::Result;
use taskvisor::{Supervisor, SupervisorConfig, TaskContext, TaskFn, TaskRef, TaskSpec};

use crate::{gate, laps::Laps};

pub(super) async fn parked(count: usize, laps: &mut Laps) -> Result<()> {
    gate::expect(count);
    let config =
        SupervisorConfig::default().with_max_registered_tasks(None).with_ownership_capacity(None);
    let handle = Supervisor::new(config, Vec::new()).serve()?;
    for number in 0..count {
        let worker: TaskRef = TaskFn::arc(|context: TaskContext| async move {
            gate::arrive();
            context.cancelled().await;
            Ok(())
        });
        handle.add(TaskSpec::once(number.to_string(), worker)).await?;
    }
    gate::all().await;
    laps.middle();
    handle.shutdown().await?;
    laps.end();
    Ok(())
}
