//! Server-sent events over HTTP/1.1.

use tokio::time::timeout;

use super::{
    LIMIT, Request,
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

/// Opens a stream of events and reads it to its end.
pub(super) async fn stream(mut connection: Connection, path: &'static str) -> Outcome {
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
        if !connection.has_more().await {
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
