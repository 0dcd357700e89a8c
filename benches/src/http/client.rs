//! A client that sends the next request as soon as it has a response, of which it reads only the
//! length.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
};

const REQUEST: &[u8] = b"GET /metrics HTTP/1.1\r\nHost: bench\r\n\r\n";

/// The result of a load.
#[derive(Default)]
pub(super) struct Load {
    pub(super) latencies: Vec<Duration>,
    pub(super) bytes: usize,
}

/// Sends requests from `clients` clients for `time`, each on one keep-alive connection.
pub(super) async fn load(address: SocketAddr, clients: usize, time: Duration) -> Result<Load> {
    let until = Instant::now() + time;
    let mut requesting = JoinSet::new();
    for _ in 0..clients {
        requesting.spawn(send_requests(address, until));
    }
    let mut all = Load::default();
    while let Some(load) = requesting.join_next().await {
        let load = load??;
        all.latencies.extend(load.latencies);
        all.bytes += load.bytes;
    }
    Ok(all)
}

async fn send_requests(address: SocketAddr, until: Instant) -> Result<Load> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut load = Load::default();
    let mut buffer = vec![0; 1 << 20];
    while Instant::now() < until {
        let sent = Instant::now();
        stream.write_all(REQUEST).await?;
        load.bytes += response(&mut stream, &mut buffer).await?;
        load.latencies.push(sent.elapsed());
    }
    Ok(load)
}

/// Reads one response, and returns the length of its body.
async fn response(stream: &mut TcpStream, buffer: &mut [u8]) -> Result<usize> {
    let mut read = 0;
    let mut whole = None;
    while whole.is_none_or(|whole| read < whole) {
        let more = stream.read(&mut buffer[read..]).await?;
        ensure!(more > 0, "closed in the middle of a response");
        read += more;
        if whole.is_none()
            && let Some(end) = buffer[..read].windows(4).position(|window| window == b"\r\n\r\n")
        {
            let head = std::str::from_utf8(&buffer[..end])?.to_ascii_lowercase();
            ensure!(head.starts_with("http/1.1 200"), "{head}");
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            whole = Some(end + 4 + length.context("no content-length")?.parse::<usize>()?);
        }
    }
    Ok(read)
}
