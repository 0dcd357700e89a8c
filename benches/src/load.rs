//! A client that sends the next request as soon as it has a response, of which it reads only the
//! length.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
};

/// The result of a load.
#[derive(Default)]
pub(crate) struct Load {
    pub(crate) latencies: Vec<Duration>,
    pub(crate) bytes: usize,
}

/// Requests `path` from `clients` clients for `time`, each on one keep-alive connection.
pub(crate) async fn load(
    address: SocketAddr,
    path: &str,
    clients: usize,
    time: Duration,
) -> Result<Load> {
    let request = request(path);
    let until = Instant::now() + time;
    let mut requesting = JoinSet::new();
    for _ in 0..clients {
        let goes_on = move |_| Instant::now() < until;
        requesting.spawn(send_requests(address, Arc::clone(&request), goes_on));
    }
    let mut all = Load::default();
    while let Some(load) = requesting.join_next().await {
        let load = load??;
        all.latencies.extend(load.latencies);
        all.bytes += load.bytes;
    }
    Ok(all)
}

/// Requests `path` so many times on one keep-alive connection.
pub(crate) async fn load_count(address: SocketAddr, path: &str, count: usize) -> Result<Load> {
    send_requests(address, request(path), |sent| sent < count).await
}

fn request(path: &str) -> Arc<[u8]> {
    format!("GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n").into_bytes().into()
}

/// Sends requests as long as `goes_on` says so, which is given the number of those sent.
async fn send_requests(
    address: SocketAddr,
    request: Arc<[u8]>,
    goes_on: impl Fn(usize) -> bool + Send,
) -> Result<Load> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut load = Load::default();
    let mut buffer = vec![0; 1 << 20];
    while goes_on(load.latencies.len()) {
        let sent = Instant::now();
        stream.write_all(&request).await?;
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
