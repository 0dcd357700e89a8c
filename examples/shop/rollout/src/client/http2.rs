//! Clients of HTTP/2 with prior knowledge.

use std::{net::SocketAddr, time::Instant};

use bytes::Bytes;
use h2::{Error, Reason, client::SendRequest};
use tokio::time::timeout;

use super::{
    Client, LIMIT, Request,
    events::{is_last_event, keep_tail},
    wire::outcome,
};
use crate::outcome::Outcome;

/// A connection. The task that drives it ends with it.
#[derive(Debug)]
struct Connection {
    send: SendRequest<Bytes>,
    server: SocketAddr,
    /// When it was opened, or last brought an answer.
    used: Instant,
}

/// A request, and what it came to, unless the connection did not take it.
type Sent = (Request, Option<Outcome>);

/// How often a request is sent that each server replies not to have begun with.
const TRIES: usize = 3;

/// Sends two requests at a time, until the server says that it goes.
pub(super) async fn requests(client: &mut Client) {
    let mut kept: Option<Connection> = None;
    while !client.is_over() {
        client.pause().await;
        let mut requests = [Some(client.request()), Some(client.request())];
        for attempt in 1..=TRIES {
            let Some(connection) = ready(client, kept.take()).await else { break };
            let idle = connection.used.elapsed();
            let [one, two] = requests.each_mut().map(Option::take);
            let (one, two) = tokio::join!(send(&connection, one), send(&connection, two));
            let mut is_usable = true;
            for (place, sent) in requests.iter_mut().zip([one, two]) {
                let Some((request, outcome)) = sent else { continue };
                is_usable &= outcome == Some(Outcome::Answered);
                match outcome {
                    // The connection did not take it.
                    None => *place = Some(request),
                    Some(Outcome::Unprocessed) if attempt < TRIES => {
                        client.seen.counts.resent += 1;
                        *place = Some(request);
                    }
                    Some(outcome) => client.count_request(request, outcome, idle),
                }
            }
            kept = is_usable.then(|| Connection { used: Instant::now(), ..connection });
            if requests.iter().all(Option::is_none) {
                break;
            }
        }
    }
}

/// Opens one stream of events after another, each until its end.
pub(super) async fn streams(client: &mut Client) {
    let mut kept: Option<Connection> = None;
    while !client.is_over() {
        client.pause().await;
        let Some(connection) = ready(client, kept.take()).await else { continue };
        let over = client.over();
        let request = Request { path: client.shared.paths.events, order: None };
        let outcome = tokio::select! {
            outcome = stream(&connection, &request) => outcome,
            () = over => Some(Outcome::Answered),
        };
        match outcome {
            None => {}
            // It is opened again elsewhere.
            Some(Outcome::Unprocessed) => client.seen.counts.resent += 1,
            Some(outcome) => {
                kept = (outcome == Outcome::Answered).then_some(connection);
                client.count(outcome, true);
            }
        }
    }
}

/// Returns the kept connection if it takes requests, or a new one.
async fn ready(client: &mut Client, kept: Option<Connection>) -> Option<Connection> {
    if let Some(Connection { send, server, used }) = kept
        && let Ok(Ok(send)) = timeout(LIMIT, send.ready()).await
    {
        return Some(Connection { send, server, used });
    }
    let (stream, server) = client.dial().await?;
    let used = Instant::now();
    let shaken = timeout(LIMIT, h2::client::handshake(stream)).await;
    let outcome = match shaken {
        Ok(Ok((send, connection))) => {
            tokio::spawn(async {
                // What it ends with, each request sees, too.
                let _ = connection.await;
            });
            match timeout(LIMIT, send.ready()).await {
                Ok(Ok(send)) => return Some(Connection { send, server, used }),
                // Nothing is written but the preface.
                Ok(Err(_)) => Outcome::Refused,
                Err(_) => Outcome::Late,
            }
        }
        Ok(Err(_)) => Outcome::Refused,
        Err(_) => Outcome::Late,
    };
    client.count(outcome, client.shared.balancer.covers_dial(server, used));
    None
}

/// Sends a request, if there is one, and reads its answer.
async fn send(connection: &Connection, request: Option<Request>) -> Option<Sent> {
    let request = request?;
    let outcome = timeout(LIMIT, exchange(connection, &request)).await;
    Some((request, outcome.unwrap_or(Some(Outcome::Late))))
}

/// As [`send`], without a time limit.
async fn exchange(connection: &Connection, request: &Request) -> Option<Outcome> {
    match answer(connection, request).await? {
        Ok((status, mut body)) => Some(match end(&mut body, |_| ()).await {
            Outcome::Answered => outcome(status),
            cut => cut,
        }),
        Err(outcome) => Some(outcome),
    }
}

/// Opens a stream and reads it; it is cut if its last event is not [`LAST_EVENT`].
async fn stream(connection: &Connection, request: &Request) -> Option<Outcome> {
    Some(match answer(connection, request).await? {
        Ok((status, mut body)) if outcome(status) == Outcome::Answered => {
            let mut tail = Vec::new();
            let end = end(&mut body, |data| keep_tail(&mut tail, data)).await;
            if is_last_event(&tail) { end } else { Outcome::Cut }
        }
        Ok((status, _)) => outcome(status),
        Err(outcome) => outcome,
    })
}

/// Sends a request; returns the head of its answer, or what it came to without one.
async fn answer(
    connection: &Connection,
    request: &Request,
) -> Option<Result<(u16, h2::RecvStream), Outcome>> {
    let Request { path, order } = request;
    let uri = format!("http://{}{path}", connection.server);
    let builder = http::Request::builder().uri(uri);
    let built = match order {
        Some(_) => builder.method("POST").header("content-type", "application/json"),
        None => builder,
    };
    let head = built.body(()).ok()?;
    let mut send = connection.send.clone().ready().await.ok()?;
    let (response, mut body) = send.send_request(head, order.is_none()).ok()?;
    if let Some((_, text)) = order
        && let Err(error) = body.send_data(Bytes::from(text.clone()), true)
    {
        return Some(Err(failure(&error)));
    }
    Some(match response.await {
        Ok(response) => {
            let (head, body) = response.into_parts();
            Ok((head.status.as_u16(), body))
        }
        Err(error) => Err(failure(&error)),
    })
}

/// Reads a body up to its end.
async fn end(body: &mut h2::RecvStream, mut look: impl FnMut(&[u8])) -> Outcome {
    loop {
        match body.data().await {
            Some(Ok(data)) => {
                look(&data);
                // A failure would end the stream, which the next round sees.
                let _ = body.flow_control().release_capacity(data.len());
            }
            Some(Err(_)) => return Outcome::Cut,
            None => return Outcome::Answered,
        }
    }
}

/// What a request without an answer came to.
fn failure(error: &Error) -> Outcome {
    let is_unprocessed = match error.reason() {
        Some(Reason::REFUSED_STREAM) => true,
        // The stream's id is above the last one that the server processes.
        Some(Reason::NO_ERROR) => error.is_go_away() && error.is_remote(),
        _ => false,
    };
    let is_reset = error.reason().is_some()
        || error.get_io().is_some_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset);
    match (is_unprocessed, is_reset) {
        (true, _) => Outcome::Unprocessed,
        (false, true) => Outcome::Reset,
        (false, false) => Outcome::Lost,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_that_was_not_begun_is_told_apart_from_a_reset_one() {
        assert_eq!(failure(&Error::from(Reason::REFUSED_STREAM)), Outcome::Unprocessed);
        assert_eq!(failure(&Error::from(Reason::CANCEL)), Outcome::Reset);
    }
}
