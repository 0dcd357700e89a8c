//! The crate `async-shutdown`: each task delays the shutdown while it lives.

use anyhow::Result;
use async_shutdown::ShutdownManager;

use crate::{gate, laps::Laps};

pub(super) async fn parked(count: usize, laps: &mut Laps) -> Result<()> {
    gate::expect(count);
    let manager = ShutdownManager::<()>::new();
    for _ in 0..count {
        let shutdown = manager.clone();
        tokio::spawn(manager.wrap_delay_shutdown(async move {
            gate::arrive();
            shutdown.wait_shutdown_triggered().await;
        })?);
    }
    gate::all().await;
    laps.middle();
    manager.trigger_shutdown(())?;
    manager.wait_shutdown_complete().await;
    laps.end();
    Ok(())
}
