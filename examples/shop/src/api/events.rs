//! The stream of changes, as server-sent events.

use axum::{
    extract::{Extension, State},
    response::sse::{Event, KeepAlive, Sse},
};
use futures_util::{
    future::ready,
    stream::{Stream, StreamExt as _, once, unfold},
};
use taskkit::{Context, serve::until_stop};
use tokio::sync::broadcast::error::RecvError;

use crate::shop::Shop;

/// Sends each change from now on. The event `lagged` has the number of changes that a slow client
/// has missed. The event `stopping` is the last one: the service stops.
pub(super) async fn stream(
    State(shop): State<Shop>,
    Extension(ctx): Extension<Context>,
) -> Sse<impl Stream<Item = Result<Event, axum::Error>>> {
    let changes = unfold(shop.changes.subscribe(), async |mut changes| {
        let event = match changes.recv().await {
            Ok(order) => Event::default().event(order.state.name()).json_data(&order),
            Err(RecvError::Lagged(missed)) => {
                Ok(Event::default().event("lagged").data(missed.to_string()))
            }
            Err(RecvError::Closed) => return None,
        };
        Some((event, changes))
    });
    let last = once(ready(Ok(Event::default().event("stopping").data(""))));
    Sse::new(until_stop(&ctx, changes).chain(last)).keep_alive(KeepAlive::default())
}
