//! The probes and metrics of a member. They decide the time of a failure, never the judgement.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

const TIMEOUT: Duration = Duration::from_secs(2);

/// Returns whether the member is ready. It is not if it does not respond.
pub(crate) fn is_ready(address: SocketAddr) -> bool {
    get(address, "/readyz").is_some_and(|(status, _)| status == 200)
}

/// Reads the first metric whose name ends with `name`.
pub(crate) fn metric(address: SocketAddr, name: &str) -> Option<f64> {
    let (_, body) = get(address, "/metrics")?;
    let samples = body.lines().filter(|line| !line.starts_with('#'));
    let mut samples = samples.filter_map(|line| line.rsplit_once(' '));
    let sample = samples
        .find(|(metric, _)| metric.split('{').next().is_some_and(|it| it.ends_with(name)))?;
    sample.1.parse().ok()
}

fn get(address: SocketAddr, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT).ok()?;
    stream.set_read_timeout(Some(TIMEOUT)).ok()?;
    stream.set_write_timeout(Some(TIMEOUT)).ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: churn\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut response = String::new();
    stream.read_to_string(&mut response).ok()?;
    let (head, body) = response.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}
