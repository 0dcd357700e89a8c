//! Three servers, restarted one after the other under requests, streams and WebSockets.

use anyhow::Result;

use super::stop;
use crate::{
    balancer::Balancer,
    client::Kind,
    fleet::{Fleet, GRACE},
    load::{Load, Spec},
    scenario::{Found, Stage},
};

pub(super) const REPLICAS: usize = 3;

pub(super) async fn play(stage: &Stage<'_>) -> Result<Found> {
    let cell = stage.cell;
    let mut fleet = Fleet::new(cell.server, cell.drain, stage.folder, &stage.name)?;
    let spec = Spec {
        kinds: [Kind::REQUESTS, Kind::STREAMS].concat(),
        clients: stage.clients,
        pause: cell.pause,
        paths: fleet.paths(),
    };
    let balancer = Balancer::new(cell.drain);
    let mut replicas = Vec::new();
    for _ in 0..REPLICAS {
        let replica = fleet.start(fleet.place()?).await?;
        balancer.add(replica.place.address);
        replicas.push(replica);
    }
    let load = Load::start(&spec, balancer);
    let clients = u64::from(stage.clients) * spec.kinds.len() as u64;
    load.requests(clients).await?;
    let mut found = Found::default();
    for _ in 0..stage.rounds {
        for _ in 0..REPLICAS {
            // The one that was started first is the next.
            let replica = replicas.remove(0);
            let place = replica.place;
            found.exits.push(stop(&load, replica, stage.delay, cell.drain + GRACE).await?);
            replicas.push(fleet.start(place).await?);
            load.balancer().add(place.address);
            load.requests(clients).await?;
        }
    }
    let seen = load.end().await?;
    found.add(seen, &fleet.done(&replicas[0]).await?);
    Ok(found)
}
