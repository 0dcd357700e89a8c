//! The scenarios, and which servers each stops in which way.

mod proxied;
mod rolling;
mod stops;
mod storm;

use std::time::Duration;

use anyhow::Result;
use tokio::time::sleep;

use crate::{
    fleet::Replica,
    load::Load,
    process::Exit,
    proxy::Proxy,
    scenario::{Cell, Choice, Promise, Scenario},
    server,
};

/// The drain behind a proxy, which has to see that a server is not ready any more.
const PROXY_DRAIN: Duration = Duration::from_secs(1);

/// The least time for which `ServeTask` keeps a connection after an answer, by default. Without a
/// drain, it loses the requests of clients that pause for longer.
const MIN_KEEP_ALIVE: Duration = Duration::from_millis(500);

/// A new scenario is one entry here.
pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "stops",
        about: "two servers; one of them is stopped, and the balancer learns of it late",
        rounds: 50,
        measured: 20,
        quick: 4,
        needs: None,
        cells: stops,
        play: |stage| Box::pin(stops::play(stage)),
    },
    Scenario {
        name: "rolling",
        about: "three servers, restarted one after the other, also under streams and WebSockets",
        rounds: 20,
        measured: 3,
        quick: 2,
        needs: None,
        cells: rolling,
        play: |stage| Box::pin(rolling::play(stage)),
    },
    Scenario {
        name: "haproxy",
        about: "as `rolling`, behind HAProxy with health checks",
        rounds: 20,
        measured: 3,
        quick: 0,
        needs: Some(Proxy::HaProxy),
        cells: proxied,
        play: |stage| Box::pin(proxied::play(stage)),
    },
    Scenario {
        name: "storm",
        about: "a hundred WebSockets; each dials the stopping server again at once",
        rounds: 10,
        measured: 3,
        quick: 2,
        needs: None,
        cells: storm,
        play: |stage| Box::pin(storm::play(stage)),
    },
];

/// Each server with and without a drain, under each pause.
fn stops(choice: &Choice<'_>) -> Vec<Cell> {
    let mut cells = Vec::new();
    for server in choice.servers {
        for pause in choice.pauses {
            for drain in [Duration::ZERO, choice.drain] {
                cells.push(cell(choice, *server, drain, *pause));
            }
        }
    }
    if choice.is_quick {
        // A plain server shows that the harness sees losses, and ours what it loses without a
        // drain: one cell of each is enough.
        let longest = longest(choice);
        cells.retain(|cell| match cell.server.is_ours() {
            true => cell.drain > Duration::ZERO || cell.pause == longest,
            false => cell.drain.is_zero() && cell.pause == longest,
        });
    }
    cells
}

/// Each server with a drain; a plain one without, too.
fn rolling(choice: &Choice<'_>) -> Vec<Cell> {
    let pause = longest(choice);
    let mut cells = Vec::new();
    for server in servers(choice) {
        let measured = (!server.is_ours()).then_some(Duration::ZERO);
        for drain in measured.into_iter().chain([choice.drain]) {
            cells.push(cell(choice, *server, drain, pause));
        }
    }
    cells
}

/// Each server with and without a drain.
fn proxied(choice: &Choice<'_>) -> Vec<Cell> {
    let pause = longest(choice);
    let drain = choice.drain.max(PROXY_DRAIN);
    let each = |server: &server::Kind| {
        [Duration::ZERO, drain].map(|drain| cell(choice, *server, drain, pause))
    };
    servers(choice).flat_map(each).collect()
}

/// Each server with a drain.
fn storm(choice: &Choice<'_>) -> Vec<Cell> {
    let of = |server: &server::Kind| cell(choice, *server, choice.drain, Duration::ZERO);
    servers(choice).map(of).collect()
}

fn cell(choice: &Choice<'_>, server: server::Kind, drain: Duration, pause: Duration) -> Cell {
    let promise = match server.is_ours() {
        // The drain has to outlast the longest pause of a client and the delay of the balancer.
        true if drain >= pause + choice.delay => Promise::NothingLost,
        true if drain.is_zero() && pause > MIN_KEEP_ALIVE => Promise::Losses,
        false if drain.is_zero() => Promise::Losses,
        _ => Promise::Nothing,
    };
    Cell { server, drain, pause, promise }
}

/// The servers of a scenario but `stops`, which is the one that a quick run compares in.
fn servers<'a>(choice: &Choice<'a>) -> impl Iterator<Item = &'a server::Kind> + use<'a> {
    let is_quick = choice.is_quick;
    choice.servers.iter().filter(move |server| !is_quick || server.is_ours())
}

fn longest(choice: &Choice<'_>) -> Duration {
    choice.pauses.iter().copied().max().unwrap_or_default()
}

/// Stops a server under load; the balancer learns of it after `delay`.
async fn stop(load: &Load, replica: Replica, delay: Duration, limit: Duration) -> Result<Exit> {
    let address = replica.place.address;
    load.balancer().stops(address);
    let since = replica.terminate()?;
    let late = async {
        sleep(delay).await;
        load.balancer().remove(address);
    };
    tokio::join!(late, replica.ended(since, limit)).1
}
