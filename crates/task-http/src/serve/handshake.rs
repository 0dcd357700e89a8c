//! The TLS handshake of a connection. It runs in the connection's own task, so that it does not
//! delay other clients, and within the header timeout.

use std::{future::poll_fn, pin::pin, sync::atomic::Ordering, task::Poll};

use task_listen::{LoadedTls, Slot, Stream};
use tokio::time::sleep_until;

use super::{Server, connections::Connection};

/// Does the handshake. Returns `None` if the connection has to be dropped: it is too slow, is
/// evicted, has no TLS parameters in common with the server, or the server stops.
pub(super) async fn shake_hands(
    tls: &LoadedTls,
    stream: Stream,
    slot: &Slot<Connection>,
    server: &Server,
) -> Option<Stream> {
    let mut accepting = pin!(tls.accept(stream));
    let mut evicted = slot.evicted();
    let mut stopping = server.stopping();
    let mut stopping = pin!(stopping.wait_for(|stopping| *stopping));
    let mut timer = pin!(sleep_until(slot.activity.deadline(&server.limits)));
    let shaken = poll_fn(|cx| {
        if pin!(&mut evicted).poll(cx).is_ready() || stopping.as_mut().poll(cx).is_ready() {
            return Poll::Ready(None);
        }
        if let Poll::Ready(shaken) = accepting.as_mut().poll(cx) {
            return Poll::Ready(Some(shaken.ok()));
        }
        // The header timeout runs from the connect, and is not given again for the header.
        timer.as_mut().poll(cx).map(|()| Some(None))
    })
    .await?;
    // Evictions and stops, which returned above, are not failures of the handshake.
    if shaken.is_none() {
        server.stats.handshakes_failed.fetch_add(1, Ordering::Relaxed);
    }
    shaken
}
