//! Slow and partitioned clients, in a network that turmoil simulates, in virtual time: `cargo xtask
//! deep turmoil`.
//!
//! Built with `--cfg task_turmoil`, the server listens in that network. `TURMOIL_RUNS` sets the
//! number of random networks. Default: 20.

#![cfg(task_turmoil)]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU16, AtomicU32, Ordering},
    },
    time::Duration,
};

use task_core::{
    Context, Task,
    scope::{Scope, StageCell},
};
use task_http::{HttpTask, Limits, http::Response};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{Instant, sleep, timeout},
};
use turmoil::{Builder, Sim, net::TcpStream};

const SECOND: Duration = Duration::from_secs(1);
/// The step of the virtual time.
const TICK: Duration = Duration::from_millis(10);
const SERVER: &str = "server";

/// Makes a simulation with the server in it, which accepts few connections.
fn simulation(builder: &mut Builder, port: &Arc<AtomicU16>) -> Sim<'static> {
    let mut sim = builder.simulation_duration(600 * SECOND).tick_duration(TICK).build();
    let port = Arc::clone(port);
    sim.host(SERVER, move || {
        let port = Arc::clone(&port);
        async move {
            let http = http();
            port.store(http.local_addr().unwrap().port(), Ordering::SeqCst);
            http.run(Context::new(Arc::new(StageCell::new()))).await.map_err(Into::into)
        }
    });
    sim
}

fn http() -> HttpTask {
    HttpTask::builder()
        // The heartbeat measures real time.
        .without_heartbeat()
        .limits(Limits::default().connections(4).stop_timeout(3 * SECOND))
        .route("/slow", async |_| {
            sleep(20 * SECOND).await;
            Ok(Response::new("done"))
        })
        .bind("127.0.0.1:0")
        .unwrap()
}

async fn connect(port: &AtomicU16) -> io::Result<TcpStream> {
    while port.load(Ordering::SeqCst) == 0 {
        sleep(Duration::from_millis(10)).await;
    }
    TcpStream::connect((SERVER, port.load(Ordering::SeqCst))).await
}

/// Sends one request, and returns the first line of the response.
async fn ask(port: &AtomicU16, path: &str) -> io::Result<String> {
    let mut stream = connect(port).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut response = String::new();
    stream.read_to_string(&mut response).await?;
    Ok(response.lines().next().unwrap_or_default().to_owned())
}

#[test]
fn a_slow_network_is_not_taken_for_a_slow_client() {
    let port = Arc::new(AtomicU16::new(0));
    let mut builder = Builder::new();
    builder.min_message_latency(500 * SECOND / 1000).max_message_latency(SECOND);
    let mut sim = simulation(&mut builder, &port);
    sim.client("client", async move {
        for _ in 0..10 {
            assert_eq!(ask(&port, "/readyz").await?, "HTTP/1.1 200 OK");
        }
        Ok(())
    });
    sim.run().unwrap();
}

/// Requirement 8.
#[test]
fn partitioned_clients_in_any_state_are_evicted_for_others() {
    let port = Arc::new(AtomicU16::new(0));
    let mut sim = simulation(&mut Builder::new(), &port);
    let requests = ["", "GET /rea", "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n"];
    let sent = Arc::new(AtomicU32::new(0));
    for number in 0..12_usize {
        let (port, sent) = (Arc::clone(&port), Arc::clone(&sent));
        sim.client(format!("cut-{number}"), async move {
            let mut stream = connect(&port).await?;
            stream.write_all(requests[number % requests.len()].as_bytes()).await?;
            sleep(SECOND).await;
            turmoil::partition(turmoil::lookup(SERVER), turmoil::lookup(format!("cut-{number}")));
            sent.fetch_add(1, Ordering::SeqCst);
            sleep(200 * SECOND).await;
            Ok(())
        });
    }
    sim.client("probe", async move {
        while sent.load(Ordering::SeqCst) < 12 {
            sleep(SECOND).await;
        }
        for _ in 0..100 {
            let asked = Instant::now();
            assert_eq!(ask(&port, "/readyz").await?, "HTTP/1.1 200 OK");
            assert!(asked.elapsed() < 2 * SECOND, "{:?}", asked.elapsed());
            sleep(SECOND).await;
        }
        Ok(())
    });
    sim.run().unwrap();
}

/// Requirement 11.
#[test]
fn a_partitioned_client_does_not_delay_the_stop() {
    let port = Arc::new(AtomicU16::new(0));
    let bound = Arc::clone(&port);
    let mut sim = Builder::new().simulation_duration(600 * SECOND).tick_duration(TICK).build();
    sim.client(SERVER, async move {
        let http = http();
        bound.store(http.local_addr().unwrap().port(), Ordering::SeqCst);
        let stage = Arc::new(StageCell::new());
        let running = tokio::spawn(http.run(Context::new(Arc::clone(&stage) as Arc<dyn Scope>)));
        sleep(5 * SECOND).await;
        turmoil::partition(SERVER, "client");
        sleep(SECOND).await;
        let asked = Instant::now();
        stage.advance(task_core::scope::Stage::Cancelled);
        running.await.unwrap().unwrap();
        let took = asked.elapsed();
        assert!((3 * SECOND..4 * SECOND).contains(&took), "{took:?}");
        Ok(())
    });
    sim.client("client", async move {
        let mut stream = connect(&port).await?;
        stream.write_all(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").await?;
        sleep(60 * SECOND).await;
        Ok(())
    });
    sim.run().unwrap();
}

#[test]
fn after_any_network_fault_the_server_responds_again() {
    let runs = std::env::var("TURMOIL_RUNS").ok().and_then(|runs| runs.parse().ok()).unwrap_or(20);
    for seed in 0..runs {
        let port = Arc::new(AtomicU16::new(0));
        let mut builder = Builder::new();
        builder
            .rng_seed(seed)
            .fail_rate(0.02)
            .repair_rate(0.2)
            .min_message_latency(Duration::from_millis(1))
            .max_message_latency(Duration::from_millis(300));
        let mut sim = simulation(&mut builder, &port);
        let served = Arc::new(AtomicU32::new(0));
        for client in 0..6 {
            let (port, served) = (Arc::clone(&port), Arc::clone(&served));
            sim.client(format!("client-{client}"), async move {
                for _ in 0..20 {
                    let path = if client % 2 == 0 { "/readyz" } else { "/" };
                    let asked = timeout(8 * SECOND, ask(&port, path)).await;
                    // An response is whole and right, however the network was.
                    if let Ok(Ok(line)) = asked
                        && !line.is_empty()
                    {
                        assert_eq!(line, "HTTP/1.1 200 OK");
                        served.fetch_add(1, Ordering::SeqCst);
                    }
                    sleep(Duration::from_millis(200)).await;
                }
                for other in 0..6 {
                    turmoil::repair(SERVER, format!("client-{other}"));
                }
                Ok(())
            });
        }
        sim.run().unwrap();
        assert!(served.load(Ordering::SeqCst) > 0, "seed {seed}: not one response");
    }
}
