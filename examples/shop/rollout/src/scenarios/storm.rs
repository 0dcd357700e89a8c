//! WebSockets that dial the stopping server again as soon as it closes them.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use tokio::{task::JoinSet, time::sleep};

use crate::{
    client::{Kind, Storm, storm},
    fleet::{Fleet, GRACE},
    scenario::{Found, Stage},
};

const CLIENTS: u64 = 100;
const START: Duration = Duration::from_secs(30);
const TICK: Duration = Duration::from_millis(10);

pub(super) async fn play(stage: &Stage<'_>) -> Result<Found> {
    let cell = stage.cell;
    let mut fleet = Fleet::new(cell.server, cell.drain, stage.folder, &stage.name)?;
    let path = fleet.paths().websocket;
    let mut found = Found::default();
    let mut accepted = 0;
    for _ in 0..stage.rounds {
        let replica = fleet.start(fleet.place()?).await?;
        let server = replica.place.address;
        let shared = Arc::new(Storm::default());
        let mut clients = JoinSet::new();
        for _ in 0..CLIENTS {
            let shared = Arc::clone(&shared);
            clients.spawn(async move { storm(server, path, &shared).await });
        }
        let begun = Instant::now();
        while shared.opened.load(Relaxed) < CLIENTS {
            ensure!(begun.elapsed() < START, "the WebSockets are not accepted");
            sleep(TICK).await;
        }
        let since = replica.terminate()?;
        found.exits.push(replica.ended(since, cell.drain + GRACE).await?);
        while clients.join_next().await.is_some() {}
        accepted += shared.accepted.load(Relaxed);
        let counts = &mut found.kinds.entry(Kind::WebSocket).or_default().0;
        let cut = shared.cut.load(Relaxed);
        counts.answered += shared.opened.load(Relaxed).saturating_sub(cut);
        counts.declined += shared.declined.load(Relaxed);
        counts.cut += cut;
    }
    found.notes.push(format!("{accepted} WebSockets were accepted after the first was closed"));
    if accepted > 0 && cell.server.is_ours() {
        found.faults.push(format!("{accepted} WebSockets were accepted after the first Close"));
    }
    Ok(found)
}
