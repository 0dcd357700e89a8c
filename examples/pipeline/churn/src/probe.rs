//! What a member says of itself over HTTP. It decides when something is done to it, never how it is judged.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

const PATIENCE: Duration = Duration::from_secs(2);

/// Tells whether it is ready. One that does not answer is not.
pub(crate) fn is_ready(address: SocketAddr) -> bool {
    get(address, "/readyz").is_some_and(|(status, _)| status == 200)
}

/// Reads one number of `/metrics` by the end of its name.
pub(crate) fn metric(address: SocketAddr, name: &str) -> Option<f64> {
    let (_, body) = get(address, "/metrics")?;
    let samples = body.lines().filter(|line| !line.starts_with('#'));
    let mut samples = samples.filter_map(|line| line.rsplit_once(' '));
    let sample = samples
        .find(|(metric, _)| metric.split('{').next().is_some_and(|it| it.ends_with(name)))?;
    sample.1.parse().ok()
}

fn get(address: SocketAddr, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.set_write_timeout(Some(PATIENCE)).ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: churn\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}
