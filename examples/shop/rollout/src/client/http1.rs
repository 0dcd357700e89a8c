//! A client of HTTP/1.1 that keeps its connection.

use tokio::time::timeout;

use super::{Client, LIMIT, wire::Connection};
use crate::outcome::Outcome;

/// Sends one request after another. With `looks`, a connection that the server has closed is found
/// before a request is written; without, after.
pub(super) async fn run(client: &mut Client, looks: bool) {
    let mut kept: Option<Connection> = None;
    while !client.is_over() {
        client.pause().await;
        if looks {
            kept = kept.filter(|connection| !connection.is_closed());
        }
        let mut connection = match kept.take() {
            Some(connection) => connection,
            None => match client.dial().await {
                Some(dialled) => Connection::new(dialled),
                None => continue,
            },
        };
        let request = client.request();
        let idle = connection.used.elapsed();
        let (outcome, keeps) =
            timeout(LIMIT, connection.send(&request)).await.unwrap_or((Outcome::Late, false));
        client.count_request(request, outcome, idle);
        kept = keeps.then_some(connection);
    }
}
