//! tokio-util's `TaskTracker` and one shared `CancellationToken`. No outcomes.

use anyhow::Result;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{gate, laps::Laps, scenario::BATCH};

pub(super) async fn parked(count: usize, laps: &mut Laps) -> Result<()> {
    gate::expect(count);
    let tracker = TaskTracker::new();
    let token = CancellationToken::new();
    for _ in 0..count {
        let token = token.clone();
        tracker.spawn(async move {
            gate::arrive();
            token.cancelled().await;
        });
    }
    tracker.close();
    gate::all().await;
    laps.middle();
    token.cancel();
    tracker.wait().await;
    laps.end();
    Ok(())
}

pub(super) async fn ephemeral(count: usize, laps: &mut Laps) -> Result<()> {
    let tracker = TaskTracker::new();
    tracker.close();
    for batch in 0..count / BATCH {
        for _ in 0..BATCH {
            tracker.spawn(async {});
        }
        tracker.wait().await;
        if batch == count / BATCH / 10 {
            laps.restart();
        }
    }
    laps.end();
    Ok(())
}
