//! The floor: detached tasks, one shared token, a counter. No outcomes, no panics, no names.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use anyhow::Result;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::{gate, laps::Laps, scenario::BATCH};

#[derive(Default)]
struct Group {
    token: CancellationToken,
    alive: AtomicUsize,
    empty: Notify,
}

impl Group {
    fn ended(&self) {
        if self.alive.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.empty.notify_one();
        }
    }
}

pub(super) async fn parked(count: usize, laps: &mut Laps) -> Result<()> {
    gate::expect(count);
    let group = Arc::new(Group::default());
    for _ in 0..count {
        group.alive.fetch_add(1, Ordering::AcqRel);
        let group = Arc::clone(&group);
        tokio::spawn(async move {
            gate::arrive();
            group.token.cancelled().await;
            group.ended();
        });
    }
    gate::all().await;
    laps.middle();
    group.token.cancel();
    group.empty.notified().await;
    laps.end();
    Ok(())
}

pub(super) async fn ephemeral(count: usize, laps: &mut Laps) -> Result<()> {
    let group = Arc::new(Group::default());
    for batch in 0..count / BATCH {
        group.alive.fetch_add(BATCH, Ordering::AcqRel);
        for _ in 0..BATCH {
            let group = Arc::clone(&group);
            tokio::spawn(async move { group.ended() });
        }
        group.empty.notified().await;
        if batch == count / BATCH / 10 {
            laps.restart();
        }
    }
    laps.end();
    Ok(())
}
