//! HTTP/1.1 on a connection, as far as these clients need it.

use std::{io, net::SocketAddr, time::Instant};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::Request;
use crate::outcome::Outcome;

/// More headers than any server under test sends.
const HEADERS: usize = 64;

/// A connection, and what was read from it and not used.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) stream: TcpStream,
    pub(super) server: SocketAddr,
    pub(super) buffer: Vec<u8>,
    /// When it was opened, or last brought an answer.
    pub(super) used: Instant,
}

/// The head of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) status: u16,
    /// Its length in the buffer.
    pub(super) length: usize,
    /// The length of the body, if it is stated.
    body: Option<usize>,
    /// Whether the server keeps the connection.
    keeps: bool,
}

impl Connection {
    pub(super) fn new((stream, server): (TcpStream, SocketAddr)) -> Self {
        Self { stream, server, buffer: Vec::new(), used: Instant::now() }
    }

    /// Whether the server has closed or reset the connection, or sent what nobody asked for.
    pub(super) fn is_closed(&self) -> bool {
        let would_block = |error: io::Error| error.kind() == io::ErrorKind::WouldBlock;
        !self.stream.try_read(&mut [0]).is_err_and(would_block)
    }

    /// Sends a request and reads its answer. Returns what it came to, and whether the connection
    /// can be used again.
    pub(super) async fn send(&mut self, request: &Request) -> (Outcome, bool) {
        let text = request.text(self.server);
        if let Err(outcome) = self.write(text.as_bytes()).await {
            return (outcome, false);
        }
        let head = match self.head().await {
            Ok(head) => head,
            Err(outcome) => return (outcome, false),
        };
        let outcome = outcome(head.status);
        let Some(body) = head.body else {
            // Up to the end of the connection.
            while self.has_more().await {}
            return (outcome, false);
        };
        while self.buffer.len() < head.length + body {
            if !self.has_more().await {
                return (Outcome::Cut, false);
            }
        }
        self.buffer.drain(..head.length + body);
        self.used = Instant::now();
        (outcome, head.keeps)
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) -> Result<(), Outcome> {
        // A write fails only after a reset came in.
        self.stream.write_all(bytes).await.map_err(|_| Outcome::Reset)
    }

    /// Reads the head of an answer, which stays in the buffer.
    pub(super) async fn head(&mut self) -> Result<Head, Outcome> {
        loop {
            let has_begun = !self.buffer.is_empty();
            match self.read().await {
                Ok(0) if has_begun => return Err(Outcome::Cut),
                Ok(0) => return Err(Outcome::Lost),
                Err(_) if has_begun => return Err(Outcome::Cut),
                Err(_) => return Err(Outcome::Reset),
                Ok(_) => {}
            }
            match head(&self.buffer) {
                Ok(Some(head)) => return Ok(head),
                Ok(None) => {}
                Err(_) => return Err(Outcome::Cut),
            }
        }
    }

    /// Reads more into the buffer. Returns false at the end, proper or not.
    pub(super) async fn has_more(&mut self) -> bool {
        matches!(self.read().await, Ok(more) if more > 0)
    }

    async fn read(&mut self) -> io::Result<usize> {
        self.stream.read_buf(&mut self.buffer).await
    }
}

impl Request {
    pub(super) fn text(&self, server: SocketAddr) -> String {
        let Self { path, order } = self;
        match order {
            Some((_, body)) => format!(
                "POST {path} HTTP/1.1\r\nHost: {server}\r\nContent-Type: application/json\r\n\
                 Content-Length: {}\r\n\r\n{body}",
                body.len()
            ),
            None => format!("GET {path} HTTP/1.1\r\nHost: {server}\r\n\r\n"),
        }
    }
}

pub(super) fn outcome(status: u16) -> Outcome {
    if (200..300).contains(&status) { Outcome::Answered } else { Outcome::Status(status) }
}

/// Parses the head of an answer; returns nothing while it is not whole.
fn head(bytes: &[u8]) -> Result<Option<Head>, httparse::Error> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(length) = response.parse(bytes)? else { return Ok(None) };
    let value = |name: &str| {
        let found = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
        found.and_then(|header| std::str::from_utf8(header.value).ok())
    };
    let closes = value("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
    Ok(Some(Head {
        status: response.code.unwrap_or_default(),
        length,
        body: value("content-length").and_then(|length| length.trim().parse().ok()),
        keeps: response.version == Some(1) && !closes,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_when_it_is_whole() {
        let whole = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc";
        for length in 0..whole.len() - 3 {
            assert_eq!(head(&whole[..length]), Ok(None));
        }
        let read = Head { status: 200, length: whole.len() - 3, body: Some(3), keeps: true };
        assert_eq!(head(whole), Ok(Some(read)));
    }

    #[test]
    fn a_connection_is_kept_unless_the_answer_says_close_or_is_of_http_1_0() {
        let keeps = |bytes: &[u8]| head(bytes).unwrap().unwrap().keeps;
        assert!(!keeps(b"HTTP/1.1 200 OK\r\nconnection: Close\r\n\r\n"));
        assert!(!keeps(b"HTTP/1.0 503 Service Unavailable\r\n\r\n"));
        assert!(keeps(b"HTTP/1.1 200 OK\r\nconnection: keep-alive\r\n\r\n"));
    }
}
