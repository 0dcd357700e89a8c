//! The stream of changes, as server-sent events.

use std::convert::Infallible;

use axum::{
    extract::{Extension, State},
    response::sse::{Event, KeepAlive, Sse},
};
use futures_util::stream::{Stream, unfold};
use taskkit::Context;
use tokio::sync::broadcast::error::RecvError;

use crate::shop::Shop;

/// Sends each change from now on. The event `lagged` has the number of changes that a slow client
/// has missed. The event `stopping` is the last one: the service stops.
pub(super) async fn stream(
    State(shop): State<Shop>,
    Extension(ctx): Extension<Context>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let changes = shop.changes.subscribe();
    let events = unfold(Some((ctx, changes)), async |open| {
        let (ctx, mut changes) = open?;
        let event = match ctx.or_cancelled(changes.recv()).await {
            Ok(Ok(order)) => {
                Event::default().event(order.state.name()).json_data(&order).unwrap_or_default()
            }
            Ok(Err(RecvError::Lagged(missed))) => {
                Event::default().event("lagged").data(missed.to_string())
            }
            Ok(Err(RecvError::Closed)) | Err(_) => {
                return Some((Ok(Event::default().event("stopping").data("")), None));
            }
        };
        Some((Ok(event), Some((ctx, changes))))
    });
    Sse::new(events).keep_alive(KeepAlive::default())
}
