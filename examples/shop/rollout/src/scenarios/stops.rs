//! Two servers, one of which is stopped while half of the connections are its.

use std::time::Duration;

use anyhow::Result;
use tokio::time::sleep;

use super::stop;
use crate::{
    balancer::Balancer,
    client::Kind,
    fleet::{Fleet, GRACE},
    load::{Load, Spec},
    scenario::{Found, Stage},
};

/// The requests of each client before the stop: the first of them dials.
const REQUESTS: u32 = 2;
/// The longest time from then to the stop, so that it comes at a random instant.
const MOMENT: u64 = 100;

pub(super) async fn play(stage: &Stage<'_>) -> Result<Found> {
    let cell = stage.cell;
    let mut fleet = Fleet::new(cell.server, cell.drain, stage.folder, &stage.name)?;
    let spec = Spec {
        kinds: Kind::REQUESTS.to_vec(),
        clients: stage.clients,
        pause: cell.pause,
        paths: fleet.paths(),
    };
    let steady = fleet.start(fleet.place()?).await?;
    let mut found = Found::default();
    for _ in 0..stage.rounds {
        let stopping = fleet.start(fleet.place()?).await?;
        let balancer = Balancer::new(cell.drain);
        balancer.add(steady.place.address);
        balancer.add(stopping.place.address);
        let load = Load::start(&spec, balancer);
        let clients = u64::from(stage.clients) * spec.kinds.len() as u64;
        load.requests(clients * u64::from(REQUESTS)).await?;
        sleep(Duration::from_millis(fastrand::u64(..MOMENT))).await;
        found.exits.push(stop(&load, stopping, stage.delay, cell.drain + GRACE).await?);
        // A client that does not look finds out with its next request.
        sleep(cell.pause).await;
        let seen = load.end().await?;
        found.add(seen, &fleet.done(&steady).await?);
    }
    Ok(found)
}
