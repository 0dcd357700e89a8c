//! The cost of a scrape: requests per second, latency and the server's CPU time, of servers that
//! take turns.
//!
//! Each server is a separate process, so that its CPU time can be measured; the client is this
//! process.

mod servers;

use std::time::Duration;

use anyhow::{Result, bail};

use crate::{
    median::median,
    server::{Measured, Server},
};
pub(crate) use servers::serve;

/// The first argument that selects this benchmark.
pub(crate) const COMMAND: &str = "http";
pub(crate) const ABOUT: &str =
    "requests per second of /metrics with 1,000 series, and own metrics of 10,000 tasks";

/// What is requested, and the least length of an answer.
const REQUESTED: (&str, usize) = ("/metrics", 10_000);
/// The numbers of concurrent clients: one Prometheus server, and more than there ever are.
const CLIENTS: [usize; 2] = [1, 16];

pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let (rounds, time) = match arguments {
        [] => (7, Duration::from_secs(2)),
        [quick] if quick == "--quick" => (3, Duration::from_millis(500)),
        _ => bail!("usage: http [--quick]"),
    };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let mut servers = Vec::new();
    for (name, title) in servers::SERIES {
        servers.push((*title, Server::start(name)?));
    }
    for clients in CLIENTS {
        println!(
            "\n/metrics with 1,000 series, {clients} keep-alive clients: medians of {rounds} rounds of {time:?}"
        );
        println!(
            "{:<34} {:>9} {:>7} {:>9} {:>9} {:>12}",
            "", "req/s", "ratio", "p50", "p99", "CPU/request"
        );
        let mut results: Vec<Vec<Measured>> = servers.iter().map(|_| Vec::new()).collect();
        for _ in 0..rounds {
            for (results, (_, server)) in results.iter_mut().zip(&servers) {
                results.push(runtime.block_on(server.measure(REQUESTED, clients, time))?);
            }
        }
        for ((title, _), own) in servers.iter().zip(&results) {
            let of = |figure: fn(&Measured) -> f64| median(own.iter().map(figure));
            let ratios = own.iter().zip(&results[0]).map(|(own, first)| own.rate / first.rate);
            println!(
                "{title:<34} {:>9.0} {:>7.2} {:>6.0} µs {:>6.0} µs {:>9.1} µs",
                of(|it| it.rate),
                median(ratios),
                of(|it| it.p50),
                of(|it| it.p99),
                of(|it| it.cpu),
            );
        }
    }
    drop(servers);
    println!("\nown metrics, one client, medians of {rounds} rounds of {time:?}");
    for (name, title) in servers::OWN {
        let server = Server::start(name)?;
        let mut results = Vec::new();
        for _ in 0..rounds {
            results.push(runtime.block_on(server.measure(REQUESTED, 1, time))?);
        }
        let of = |figure: fn(&Measured) -> f64| median(results.iter().map(figure));
        println!(
            "{title:<34} p50 {:>6.2} ms  p99 {:>6.2} ms  CPU/request {:>6.2} ms",
            of(|it| it.p50) / 1e3,
            of(|it| it.p99) / 1e3,
            of(|it| it.cpu) / 1e3,
        );
    }
    Ok(())
}
