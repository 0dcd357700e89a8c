//! The cost of a scrape: requests per second, latency and the server's CPU time, of servers that
//! take turns.
//!
//! Each server is a separate process, so that its CPU time can be measured; the client is this
//! process.

mod client;
mod servers;

use std::{
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};

use crate::median::median;
use client::Load;
pub(crate) use servers::serve;

/// The first argument that selects this benchmark, and the one that makes this program a server.
pub(crate) const COMMAND: &str = "http";
pub(crate) const SERVE: &str = "serve";
pub(crate) const ABOUT: &str =
    "requests per second of /metrics with 1,000 series, and own metrics of 10,000 tasks";

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
                results.push(runtime.block_on(server.measure(clients, time))?);
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
            results.push(runtime.block_on(server.measure(1, time))?);
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

/// One round: requests per second, and microseconds.
struct Measured {
    rate: f64,
    p50: f64,
    p99: f64,
    cpu: f64,
}

/// A server in a separate process, killed when dropped.
struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    fn start(name: &str) -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args([SERVE, name])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        let stdout = child.stdout.take().context("its stdout is a pipe")?;
        BufReader::new(stdout).read_line(&mut line)?;
        let address = line.trim().parse().with_context(|| format!("{name}: printed {line:?}"))?;
        Ok(Self { child, address })
    }

    async fn measure(&self, clients: usize, time: Duration) -> Result<Measured> {
        let before = self.cpu_time()?;
        let begun = Instant::now();
        let Load { mut latencies, bytes } = client::load(self.address, clients, time).await?;
        let took = begun.elapsed();
        let cpu = self.cpu_time()? - before;
        let count = latencies.len();
        ensure!(count > 0 && bytes / count > 10_000, "{count} answers with {bytes} bytes");
        latencies.sort_unstable();
        let at = |share: f64| latencies[((count - 1) as f64 * share) as usize].as_secs_f64() * 1e6;
        Ok(Measured {
            rate: count as f64 / took.as_secs_f64(),
            p50: at(0.5),
            p99: at(0.99),
            cpu: cpu.as_secs_f64() * 1e6 / count as f64,
        })
    }

    /// User and system time, in ticks of a hundredth of a second.
    fn cpu_time(&self) -> Result<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let (_, rest) = stat.rsplit_once(')').context("no name in stat")?;
        let field =
            |index: usize| rest.split_whitespace().nth(index).and_then(|it| it.parse::<u64>().ok());
        let ticks = field(11).zip(field(12)).context("no times in stat")?;
        Ok(Duration::from_millis(10 * (ticks.0 + ticks.1)))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only for one that has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
