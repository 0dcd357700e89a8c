//! The WebSocket: a client sends ids, and receives those orders at each change.

use std::{collections::HashSet, time::Duration};

use axum::{
    extract::{
        Extension, State,
        ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code},
    },
    response::Response,
};
use serde_json::json;
use taskkit::Context;
use tokio::{select, sync::broadcast::error::RecvError, time::timeout};

use crate::shop::Shop;

/// The most orders that one client may track.
const TRACKED: usize = 100;
/// The largest message of a client, in bytes. An id has at most 64.
const MESSAGE: usize = 1_024;
/// How long a client may take to answer a `Close`.
const GOODBYE: Duration = Duration::from_secs(1);

pub(super) async fn upgrade(
    upgrade: WebSocketUpgrade,
    State(shop): State<Shop>,
    Extension(ctx): Extension<Context>,
) -> Response {
    upgrade.max_message_size(MESSAGE).on_upgrade(async move |mut socket| {
        // An error is a client that is gone.
        if let Ok((code, reason)) = track(&ctx, &mut socket, &shop).await {
            let _ = timeout(GOODBYE, close(&mut socket, code, reason)).await;
        }
    })
}

/// Runs until one side has enough, and returns why the connection is to be closed.
async fn track(
    ctx: &Context,
    socket: &mut WebSocket,
    shop: &Shop,
) -> Result<(u16, &'static str), axum::Error> {
    let mut changes = shop.changes.subscribe();
    let mut tracked = HashSet::new();
    loop {
        select! {
            () = ctx.cancelled() => return Ok((close_code::AWAY, "the service stops")),
            received = socket.recv() => {
                let Some(message) = received.transpose()? else {
                    return Ok((close_code::NORMAL, ""));
                };
                let id = match message {
                    Message::Text(id) => id.to_string(),
                    Message::Close(_) => return Ok((close_code::NORMAL, "")),
                    _ => continue,
                };
                let answer = match shop.database.find(&id).await {
                    Ok(Some(order)) => json!(order),
                    Ok(None) => json!({ "error": "there is no such order", "id": id }),
                    Err(error) => {
                        tracing::error!("a WebSocket is closed: {error}");
                        return Ok((close_code::ERROR, "the shop cannot answer at the moment"));
                    }
                };
                socket.send(Message::text(answer.to_string())).await?;
                if tracked.len() == TRACKED && !tracked.contains(&id) {
                    return Ok((close_code::POLICY, "too many orders are tracked"));
                }
                tracked.insert(id);
            }
            change = changes.recv() => match change {
                Ok(order) if tracked.contains(&order.id) => {
                    socket.send(Message::text(json!(order).to_string())).await?;
                }
                Ok(_) => {}
                Err(RecvError::Lagged(_)) => {
                    return Ok((close_code::AGAIN, "changes were missed; connect again"));
                }
                Err(RecvError::Closed) => return Ok((close_code::AWAY, "the service stops")),
            }
        }
    }
}

/// Sends a `Close`, and waits for the client's.
async fn close(socket: &mut WebSocket, code: u16, reason: &'static str) {
    let frame = CloseFrame { code, reason: reason.into() };
    if socket.send(Message::Close(Some(frame))).await.is_ok() {
        while let Some(Ok(_)) = socket.recv().await {}
    }
}
