//! A client of server-sent events over HTTP/1.1: it opens one stream after another.

use tokio::time::timeout;

use super::{
    Client, LIMIT, Request,
    wire::{Connection, outcome},
};
use crate::outcome::Outcome;

/// The last chunk of a chunked body.
const END: &[u8] = b"\r\n0\r\n\r\n";
/// What a server writes as the last event when it stops. A proxy may end the stream of a server
/// that was killed as if that had ended it.
const LAST_EVENT: &[u8] = b"event: stopping";
/// More bytes than that event and the end of its stream have.
const TAIL: usize = 200;

pub(super) async fn run(client: &mut Client) {
    while !client.is_over() {
        client.pause().await;
        let Some(dialled) = client.dial().await else { continue };
        let mut connection = Connection::new(dialled);
        let over = client.over();
        let path = client.shared.paths.events;
        let outcome = tokio::select! {
            outcome = stream(&mut connection, path) => outcome,
            () = over => Outcome::Answered,
        };
        client.count(outcome, true);
    }
}

async fn stream(connection: &mut Connection, path: &'static str) -> Outcome {
    let request = Request { path, order: None };
    let begun = async {
        connection.write(request.text(connection.server).as_bytes()).await?;
        connection.head().await
    };
    let status = match timeout(LIMIT, begun).await {
        Ok(Ok(head)) => outcome(head.status),
        Ok(Err(outcome)) => outcome,
        Err(_) => Outcome::Late,
    };
    if status != Outcome::Answered {
        return status;
    }
    loop {
        if connection.buffer.ends_with(END) && is_last_event(&connection.buffer) {
            return Outcome::Answered;
        }
        keep_tail(&mut connection.buffer, &[]);
        if !matches!(connection.read().await, Ok(more) if more > 0) {
            return Outcome::Cut;
        }
    }
}

/// Adds bytes of a stream, and drops what is too old to belong to its last event.
pub(super) fn keep_tail(tail: &mut Vec<u8>, bytes: &[u8]) {
    tail.extend_from_slice(bytes);
    tail.drain(..tail.len().saturating_sub(TAIL));
}

/// Whether a stream ended, by its last bytes, with the event of a server that stops.
pub(super) fn is_last_event(tail: &[u8]) -> bool {
    tail.windows(LAST_EVENT.len()).any(|window| window == LAST_EVENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_event_is_found_across_reads() {
        let mut tail = Vec::new();
        keep_tail(&mut tail, &[b'x'; 1000]);
        keep_tail(&mut tail, b"data: tick\n\nevent: sto");
        assert!(!is_last_event(&tail));
        keep_tail(&mut tail, b"pping\ndata: {}\n\n");
        assert!(is_last_event(&tail));
        keep_tail(&mut tail, &[b'x'; TAIL]);
        assert!(!is_last_event(&tail), "more followed");
    }
}
