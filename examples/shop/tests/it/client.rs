//! A blocking HTTP/1.1 client, one connection at a time.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use serde_json::Value;

/// Longer than anything takes on a loaded machine.
const LIMIT: Duration = Duration::from_secs(20);

/// A connection that is kept.
pub struct Client {
    stream: BufReader<TcpStream>,
}

/// A response with its body.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// The lines of the head, in lower case.
    pub head: Vec<String>,
    pub body: String,
}

impl Client {
    pub fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect_timeout(&address, LIMIT).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream.set_write_timeout(Some(LIMIT)).unwrap();
        Self { stream: BufReader::new(stream) }
    }

    pub fn get(&mut self, path: &str) -> Answer {
        self.send("GET", path, "");
        self.answer()
    }

    pub fn post(&mut self, path: &str, body: &str) -> Answer {
        self.send("POST", path, body);
        self.answer()
    }

    /// Sends a request, and does not wait for the response.
    pub fn send(&mut self, method: &str, path: &str, body: &str) {
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: shop\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\n\r\n{body}"
        );
        self.stream.get_mut().write_all(request.as_bytes()).unwrap();
    }

    /// Reads a response that has a length.
    pub fn answer(&mut self) -> Answer {
        let head = self.head();
        let status = head[0].split(' ').nth(1).unwrap().parse().unwrap();
        let length = head.iter().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        let mut body = vec![0; length.parse().unwrap()];
        self.stream.read_exact(&mut body).unwrap();
        Answer { status, head, body: String::from_utf8(body).unwrap() }
    }

    /// Reads the head of a response.
    pub fn head(&mut self) -> Vec<String> {
        let mut head = Vec::new();
        loop {
            let line = self.line().expect("the connection was closed before the head was complete");
            if line.is_empty() {
                return head;
            }
            head.push(line.to_ascii_lowercase());
        }
    }

    /// Reads a line; `None` once the connection is closed.
    pub fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = self.stream.read_line(&mut line).unwrap();
        (read > 0).then(|| line.trim_end().to_owned())
    }

    /// Reads the lines of an endless response until one begins with `prefix`.
    pub fn until(&mut self, prefix: &str) -> String {
        loop {
            let line = self.line().unwrap_or_else(|| panic!("closed before `{prefix}`"));
            if line.starts_with(prefix) {
                return line;
            }
        }
    }

    pub fn into_stream(self) -> TcpStream {
        self.stream.into_inner()
    }
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }

    pub fn has(&self, line: &str) -> bool {
        self.head.iter().any(|it| it == line)
    }
}

/// Returns the body of a request for an order.
pub fn order(id: &str) -> String {
    format!("{{\"id\": \"{id}\", \"item\": \"tea\", \"quantity\": 2}}")
}
