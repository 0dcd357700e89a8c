//! What `ServeTask` costs beside `axum::serve`: requests per second, latency and CPU time of the
//! same router under both, in turns.

mod instructions;
mod servers;

use std::time::Duration;

use anyhow::{Result, bail};

use crate::{
    cost, http,
    median::median,
    server::{Measured, Server},
};

/// The first argument that selects this benchmark.
pub(crate) const COMMAND: &str = "serve";
pub(crate) const ABOUT: &str =
    "requests per second of ServeTask beside axum::serve, the same router under both";

/// The argument that builds the smallest APIs instead.
const COST: &str = "cost";

/// The paths, and the least length of their answers.
const PATHS: [(&str, usize); 2] = [(servers::HELLO, 100), (servers::JSON, 1024)];
/// One client, and more than keep the server's workers busy.
const CLIENTS: [usize; 2] = [1, 16];
/// What `ServeTask` is meant to reach.
const LEAST_RATE: f64 = 0.97;
const MOST_P99: f64 = 1.05;

/// Runs the server that the argument names: one of this benchmark, or of the scrapes.
pub(crate) fn serve(arguments: &[String]) -> Result<()> {
    match arguments {
        [name] if servers::NAMES.contains(&name.as_str()) => servers::serve(name, 2),
        [name, workers] => servers::serve(name, workers.parse()?),
        _ => http::serve(arguments),
    }
}

pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let (pairs, time) = match arguments {
        [] => (9, Duration::from_secs(2)),
        [quick] if quick == "--quick" => (3, Duration::from_millis(500)),
        [build] if build == COST => return cost::apis(),
        _ => bail!("usage: serve [--quick | {COST}]"),
    };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let [axum, ours] = servers::NAMES;
    let servers = [Server::start(axum)?, Server::start(ours)?];
    println!(
        "ServeTask beside axum::serve, keep-alive, HTTP/1.1: medians of {pairs} pairs of {time:?}\n"
    );
    println!(
        "{:<8} {:>7}  {:>9} {:>9} {:>7} {:>9} {:>9} {:>7} {:>8}  limits",
        "", "clients", "axum/s", "ours/s", "ratio", "axum p99", "ours p99", "ratio", "CPU"
    );
    for path in PATHS {
        for clients in CLIENTS {
            let mut rounds = Vec::new();
            for round in 0..pairs {
                // Which is first takes turns, too: what is measured second finds warm caches.
                let mut measured = [None, None];
                for index in [round % 2, 1 - round % 2] {
                    let measuring = servers[index].measure(path, clients, time);
                    measured[index] = Some(runtime.block_on(measuring)?);
                }
                if let [Some(axum), Some(ours)] = measured {
                    rounds.push((axum, ours));
                }
            }
            print(path.0, clients, &rounds);
        }
    }
    drop(servers);
    runtime.block_on(instructions::print())
}

fn print(path: &str, clients: usize, rounds: &[(Measured, Measured)]) {
    let of = |figure: fn(&(Measured, Measured)) -> f64| median(rounds.iter().map(figure));
    let rate = of(|(axum, ours)| ours.rate / axum.rate);
    let p99 = of(|(axum, ours)| ours.p99 / axum.p99);
    let verdict = match (rate >= LEAST_RATE, p99 <= MOST_P99) {
        (true, true) => "met",
        (false, true) => "RATE",
        (true, false) => "P99",
        (false, false) => "RATE, P99",
    };
    println!(
        "{path:<8} {clients:>7}  {:>9.0} {:>9.0} {rate:>7.3} {:>6.0} µs {:>6.0} µs {p99:>7.3} {:>8.3}  {verdict}",
        of(|(axum, _)| axum.rate),
        of(|(_, ours)| ours.rate),
        of(|(axum, _)| axum.p99),
        of(|(_, ours)| ours.p99),
        of(|(axum, ours)| ours.cpu / axum.cpu),
    );
}
