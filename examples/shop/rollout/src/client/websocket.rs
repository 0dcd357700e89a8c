//! WebSockets, and a storm of clients that dial again at once.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use tokio::{net::TcpStream, time::timeout};

use super::{LIMIT, wire::Connection};
use crate::outcome::Outcome;

/// The status of an upgrade that succeeded, and of one that a stopping server declined.
const SWITCHED: u16 = 101;
const DECLINED: u16 = 503;
/// The opcode of a Close frame, and its reply: masked by zeros, as a client must mask.
const CLOSE: u8 = 8;
const CLOSE_REPLY: [u8; 8] = [0x80 | CLOSE, 0x80 | 2, 0, 0, 0, 0, 0x03, 0xe8];

/// Opens a WebSocket and reads it to its end.
pub(super) async fn conversation(mut connection: Connection, path: &'static str) -> Outcome {
    match timeout(LIMIT, open(&mut connection, path)).await {
        Ok(Ok(())) => closed(&mut connection).await,
        Ok(Err(outcome)) => outcome,
        Err(_) => Outcome::Late,
    }
}

async fn open(connection: &mut Connection, path: &str) -> Result<(), Outcome> {
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        connection.server
    );
    connection.write(request.as_bytes()).await?;
    let head = connection.head().await?;
    match head.status {
        SWITCHED => {
            connection.buffer.drain(..head.length);
            Ok(())
        }
        DECLINED => Err(Outcome::Declined),
        status => Err(Outcome::Status(status)),
    }
}

/// Reads frames up to a Close, and replies to it.
async fn closed(connection: &mut Connection) -> Outcome {
    loop {
        while let Some((opcode, length)) = frame(&connection.buffer) {
            connection.buffer.drain(..length);
            if opcode == CLOSE {
                // The server may have closed already.
                let _ = connection.write(&CLOSE_REPLY).await;
                return Outcome::Answered;
            }
        }
        if !connection.has_more().await {
            return Outcome::Cut;
        }
    }
}

/// Returns the opcode and the whole length of the first frame of a server, once it is there.
fn frame(bytes: &[u8]) -> Option<(u8, usize)> {
    let opcode = bytes.first()? & 0x0f;
    let (head, body) = match bytes.get(1)? & 0x7f {
        126 => (4, u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?).into()),
        127 => (10, u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)),
        short => (2, short.into()),
    };
    let length = head + usize::try_from(body).ok()?;
    (bytes.len() >= length).then_some((opcode, length))
}

/// What the clients of a storm share.
#[derive(Debug, Default)]
pub(crate) struct Storm {
    /// WebSockets that were opened before the first Close or cut.
    pub(crate) opened: AtomicU64,
    is_closing: AtomicBool,
    /// Dials since then: accepted as WebSockets, and declined with 503.
    pub(crate) accepted: AtomicU64,
    pub(crate) declined: AtomicU64,
    /// WebSockets that ended without a Close.
    pub(crate) cut: AtomicU64,
}

/// Opens a WebSocket, and when it ends dials the same server again at once, until it is refused.
pub(crate) async fn storm(server: SocketAddr, path: &'static str, storm: &Storm) {
    loop {
        // From here on, so that one that was dialled before the first Close does not count.
        let is_closing = storm.is_closing.load(Relaxed);
        let dialled = timeout(LIMIT, TcpStream::connect(server)).await;
        let Ok(Ok(stream)) = dialled else { return };
        let mut connection = Connection::new((stream, server));
        match timeout(LIMIT, open(&mut connection, path)).await {
            Ok(Ok(())) => {
                let count = if is_closing { &storm.accepted } else { &storm.opened };
                count.fetch_add(1, Relaxed);
                let outcome = closed(&mut connection).await;
                storm.is_closing.store(true, Relaxed);
                storm.cut.fetch_add(u64::from(outcome == Outcome::Cut), Relaxed);
            }
            Ok(Err(Outcome::Declined)) => {
                storm.declined.fetch_add(1, Relaxed);
                // A client that dials without any pause would only keep both busy.
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            _ => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_all_lengths_are_measured_once_they_are_whole() {
        let frames = [
            [vec![0x81, 5], vec![0; 5]].concat(),
            [vec![0x82, 126, 1, 0], vec![0; 256]].concat(),
            [vec![0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0], vec![0; 65_536]].concat(),
        ];
        for bytes in frames {
            assert_eq!(frame(&bytes), Some((bytes[0] & 0x0f, bytes.len())));
            assert_eq!(frame(&bytes[..bytes.len() - 1]), None);
        }
        assert_eq!(frame(&[0x88, 2, 3, 0xe9, 0x81]), Some((CLOSE, 4)));
    }
}
