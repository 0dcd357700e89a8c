//! A client that asks again as soon as it has its answer, and looks at no more of it than its length.

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

/// What came of it.
#[derive(Default)]
pub(super) struct Load {
    pub(super) latencies: Vec<Duration>,
    pub(super) bytes: usize,
}

/// Has so many clients ask for so long, each on a connection that it keeps.
pub(super) async fn load(address: SocketAddr, clients: usize, time: Duration) -> Result<Load> {
    let until = Instant::now() + time;
    let mut asking = JoinSet::new();
    for _ in 0..clients {
        asking.spawn(ask(address, until));
    }
    let mut all = Load::default();
    while let Some(load) = asking.join_next().await {
        let load = load??;
        all.latencies.extend(load.latencies);
        all.bytes += load.bytes;
    }
    Ok(all)
}

async fn ask(address: SocketAddr, until: Instant) -> Result<Load> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut load = Load::default();
    let mut buffer = vec![0; 1 << 20];
    while Instant::now() < until {
        let asked = Instant::now();
        stream.write_all(REQUEST).await?;
        load.bytes += answer(&mut stream, &mut buffer).await?;
        load.latencies.push(asked.elapsed());
    }
    Ok(load)
}

/// Reads one answer, and returns how long its body is.
async fn answer(stream: &mut TcpStream, buffer: &mut [u8]) -> Result<usize> {
    let mut read = 0;
    let mut whole = None;
    while whole.is_none_or(|whole| read < whole) {
        let more = stream.read(&mut buffer[read..]).await?;
        ensure!(more > 0, "closed in the middle of an answer");
        read += more;
        if whole.is_none()
            && let Some(end) = buffer[..read].windows(4).position(|window| window == b"\r\n\r\n")
        {
            let head = std::str::from_utf8(&buffer[..end])?.to_ascii_lowercase();
            ensure!(head.starts_with("http/1.1 200"), "{head}");
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            whole =
                Some(end + 4 + length.context("an answer says how long it is")?.parse::<usize>()?);
        }
    }
    Ok(read)
}
