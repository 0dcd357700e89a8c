//! Probes, metrics and the task table over HTTP.
//!
//! The server reads the group that it runs in; the other tasks need no code for it. The group is
//! ready when every task that *gates readiness* is ready. It is no longer ready from the first
//! instant of a shutdown, while it is still alive and still works. This example requests what a
//! load balancer would.
#![allow(clippy::print_stdout, reason = "an example talks to its reader")]

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use anyhow::Context as _;
use taskkit::{HttpTask, Manager, Phase, Task, http::text_source, task_fn};
use tokio::{task::spawn_blocking, time::sleep};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let manager = Manager::builder().drain_delay(Duration::from_millis(300)).build()?;

    // An address in use is an error here, before anything runs. Port 0 selects a free port.
    let http = HttpTask::builder()
        .metrics(text_source(|| String::from("# TYPE orders counter\norders 42\n")))
        .check("database", async || Ok(()))
        .bind("127.0.0.1:0")?;
    let address = http.local_addr().context("the server listens on TCP")?;
    manager.run(http)?; // of phase `SUPPORT`: it serves until the other tasks have ended

    // Ready once its data is loaded.
    let prices = task_fn("prices", async |ctx| {
        ctx.or_cancelled(sleep(Duration::from_millis(200))).await?;
        ctx.set_ready(true);
        ctx.cancelled().await;
        Ok(())
    });
    manager.run(prices.in_phase(Phase::INGRESS).gating_readiness())?;

    manager.run_ephemeral(task_fn("load balancer", async move |ctx| {
        show(address, "/readyz").await?;
        sleep(Duration::from_millis(300)).await;
        show(address, "/readyz?verbose").await?;
        show(address, "/metrics").await?;
        ctx.request_stop("the example is over");
        show(address, "/readyz").await?;
        show(address, "/livez").await?;
        Ok(())
    }))?;

    println!("\n{}", manager.wait().await?);
    Ok(())
}

/// Prints the status of the response and the first lines of its body.
async fn show(address: SocketAddr, path: &'static str) -> anyhow::Result<()> {
    let response = spawn_blocking(move || get(address, path)).await??;
    let (head, body) = response.split_once("\r\n\r\n").context("the response has no head")?;
    println!("\nGET {path}: {}", head.lines().next().unwrap_or_default());
    let lines = body.lines().filter(|line| !line.starts_with('#'));
    for line in lines.take(6) {
        println!("  {line}");
    }
    Ok(())
}

fn get(address: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n")?;
    let mut response = String::new();
    stream.read_to_string(&mut response)?;
    Ok(response)
}
