//! Rolling restarts behind a real proxy, which sees by health checks which servers are ready.

use anyhow::{Context as _, Result};
use tokio::time::sleep;

use super::rolling::REPLICAS;
use crate::{
    balancer::Balancer,
    client::Kind,
    fleet::{Fleet, GRACE, Place},
    load::{Load, Spec},
    proxy::Running,
    scenario::{Found, Stage},
};

/// The clients of HTTP/1.1, and those of HTTP/2: a proxy has an address for each.
const KINDS: [&[Kind]; 2] = [
    &[Kind::Looking, Kind::Blind, Kind::Events, Kind::WebSocket],
    &[Kind::Http2, Kind::Http2Events],
];

pub(super) async fn play(stage: &Stage<'_>) -> Result<Found> {
    let cell = stage.cell;
    let mut fleet = Fleet::new(cell.server, cell.drain, stage.folder, &stage.name)?;
    let mut replicas = Vec::new();
    for _ in 0..REPLICAS {
        replicas.push(fleet.start(fleet.place()?).await?);
    }
    let places: Vec<Place> = replicas.iter().map(|replica| replica.place).collect();
    let mut proxy = Running::start(&places, fleet.folder()).await.context("HAProxy")?;
    let addresses = proxy.addresses();
    let mut loads = Vec::new();
    for (kinds, address) in KINDS.into_iter().zip(addresses) {
        let balancer = Balancer::new(cell.drain);
        balancer.add(address);
        let spec = Spec {
            kinds: kinds.to_vec(),
            clients: stage.clients,
            pause: cell.pause,
            paths: fleet.paths(),
        };
        loads.push(Load::start(&spec, balancer));
    }
    let mut found = Found::default();
    for _ in 0..stage.rounds {
        for _ in 0..REPLICAS {
            let replica = replicas.remove(0);
            let place = replica.place;
            let since = replica.terminate()?;
            found.exits.push(replica.ended(since, cell.drain + GRACE).await?);
            replicas.push(fleet.start(place).await?);
            proxy.all_up(REPLICAS).await?;
            for load in &loads {
                load.requests(u64::from(stage.clients)).await?;
            }
        }
    }
    // A client that does not look finds out with its next request.
    sleep(cell.pause).await;
    for load in loads {
        let seen = load.end().await?;
        found.add(seen, &fleet.done(&replicas[0]).await?);
    }
    Ok(found)
}
