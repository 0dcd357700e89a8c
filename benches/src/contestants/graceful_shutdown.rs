//! The crate `tokio-graceful-shutdown`: each task a subsystem.

use std::time::Duration;

use anyhow::Result;
use tokio_graceful_shutdown::{SubsystemBuilder, SubsystemHandle, Toplevel};

use crate::{gate, laps::Laps};

pub(super) async fn parked(count: usize, laps: &mut Laps) -> Result<()> {
    gate::expect(count);
    let token = tokio_util::sync::CancellationToken::new();
    let toplevel = Toplevel::new_with_shutdown_token(
        async move |subsystem: &mut SubsystemHandle| {
            for _ in 0..count {
                subsystem.start(SubsystemBuilder::new("worker", worker));
            }
        },
        token.clone(),
    );
    gate::all().await;
    laps.middle();
    token.cancel();
    toplevel.handle_shutdown_requests(Duration::from_secs(60)).await?;
    laps.end();
    Ok(())
}

async fn worker(subsystem: &mut SubsystemHandle) -> Result<()> {
    gate::arrive();
    subsystem.on_shutdown_requested().await;
    Ok(())
}
