//! A server on its own threads, and a blocking client.

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    sync::Arc,
    thread,
    time::Duration,
};

use task_core::{Context, Task, scope::StageCell};
use task_http::{HttpTask, HttpTaskBuilder};

/// The timeout of each read.
const LIMIT: Duration = Duration::from_secs(20);

/// A running server, which ends with the process.
#[derive(Debug)]
pub(crate) struct Server {
    address: SocketAddr,
}

/// A response. Header names are in lower case.
#[derive(Debug)]
pub(crate) struct HttpResponse {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl HttpResponse {
    /// Returns the value of a header field; empty if there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }
}

impl Server {
    pub(crate) fn start(configure: impl FnOnce(HttpTaskBuilder) -> HttpTaskBuilder) -> Self {
        let http = configure(HttpTask::builder()).bind("127.0.0.1:0").unwrap();
        let address = http.local_addr().unwrap();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let ctx = Context::new(Arc::new(StageCell::new()));
        thread::spawn(move || runtime.unwrap().block_on(http.run(ctx)));
        Self { address }
    }

    /// Sends bytes, and reads until the server closes. It may close before all bytes are sent.
    pub(crate) fn send(&self, bytes: &[u8]) -> Vec<u8> {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        let _ = stream.write_all(bytes);
        let _ = stream.shutdown(Shutdown::Write);
        let mut response = Vec::new();
        if let Err(error) = stream.read_to_end(&mut response) {
            let is_late = matches!(
                error.kind(),
                std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
            );
            assert!(
                !is_late,
                "neither a response nor an end: {:?}",
                String::from_utf8_lossy(bytes)
            );
        }
        response
    }

    pub(crate) fn get(&self, target: &str, headers: &[(&str, &str)]) -> HttpResponse {
        let mut text = format!("GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n");
        for (name, value) in headers {
            text += &format!("{name}: {value}\r\n");
        }
        let response = self.send((text + "\r\n").as_bytes());
        let end = response.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(response[..end].to_vec()).unwrap();
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers = lines.filter_map(|line| line.split_once(": "));
        let headers =
            headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
        HttpResponse { status, headers, body: response[end + 4..].to_vec() }
    }
}
