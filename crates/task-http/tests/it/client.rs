//! A client that sends exact bytes, and parses the response.

use std::{io, net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// A response. Header names are in lower case.
#[derive(Debug)]
pub(crate) struct HttpResponse {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl HttpResponse {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Client<IO> {
    stream: IO,
    unread: Vec<u8>,
}

impl Client<TcpStream> {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self::new(TcpStream::connect(address).await.unwrap())
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> Client<IO> {
    pub(crate) fn new(stream: IO) -> Self {
        Self { stream, unread: Vec::new() }
    }

    pub(crate) async fn send(&mut self, text: impl AsRef<[u8]>) {
        self.try_send(text).await.unwrap();
    }

    /// Sends, unless the connection is closed.
    pub(crate) async fn try_send(&mut self, text: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(text.as_ref()).await
    }

    /// Sends a request without a body, and waits for the response.
    pub(crate) async fn request(
        &mut self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
    ) -> HttpResponse {
        let mut text = format!("{method} {target} HTTP/1.1\r\nHost: test\r\n");
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        self.send(text + "\r\n").await;
        self.response(method != "HEAD").await
    }

    pub(crate) async fn get(&mut self, target: &str) -> HttpResponse {
        self.request("GET", target, &[]).await
    }

    /// Reads one response. Its body, if it has one, is as long as `Content-Length`.
    pub(crate) async fn response(&mut self, has_body: bool) -> HttpResponse {
        self.try_response(has_body).await.expect("closed before a response")
    }

    /// Reads one response; `None` if the connection is closed in place of it.
    pub(crate) async fn try_response(&mut self, has_body: bool) -> Option<HttpResponse> {
        let end = loop {
            if let Some(end) = self.unread.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
            if !matches!(self.read_some().await, Ok(1..)) {
                return None;
            }
        };
        let head = String::from_utf8(self.unread.drain(..end).collect()).unwrap();
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let mut response = HttpResponse { status, headers, body: Vec::new() };
        let length = response.header("content-length").map_or(0, |length| length.parse().unwrap());
        if has_body {
            while self.unread.len() < length {
                assert!(self.read_some().await.unwrap() > 0, "closed in the middle of a body");
            }
            response.body = self.unread.drain(..length).collect();
        }
        Some(response)
    }

    /// Reads as many bytes, which are no response.
    #[allow(dead_code, reason = "not every suite uses it")]
    pub(crate) async fn read(&mut self, length: usize) -> Vec<u8> {
        while self.unread.len() < length {
            assert!(self.read_some().await.unwrap() > 0, "closed too early");
        }
        self.unread.drain(..length).collect()
    }

    /// Reads all that comes until the server closes the connection.
    #[allow(dead_code, reason = "not every suite uses it")]
    pub(crate) async fn rest(&mut self) -> String {
        self.closed().await;
        String::from_utf8(std::mem::take(&mut self.unread)).unwrap()
    }

    /// Waits until the server closes the connection. What it still sends is discarded.
    pub(crate) async fn closed(&mut self) {
        while matches!(self.read_some().await, Ok(read) if read > 0) {}
    }

    /// Returns whether the connection is still open, after reading for a millisecond.
    pub(crate) async fn is_open(&mut self) -> bool {
        match timeout(Duration::from_millis(1), self.read_some()).await {
            Err(_) => true,
            Ok(read) => matches!(read, Ok(read) if read > 0),
        }
    }

    async fn read_some(&mut self) -> io::Result<usize> {
        self.stream.read_buf(&mut self.unread).await
    }
}

/// Asks once, on a connection of its own.
pub(crate) async fn get(address: SocketAddr, target: &str) -> HttpResponse {
    Client::connect(address).await.get(target).await
}

/// Asks once, with headers, on a connection of its own.
pub(crate) async fn get_with(
    address: SocketAddr,
    target: &str,
    headers: &[(&str, &str)],
) -> HttpResponse {
    Client::connect(address).await.request("GET", target, headers).await
}
