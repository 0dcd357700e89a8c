//! The application that every server under test serves.

use std::{
    convert::Infallible,
    fs::{File, OpenOptions},
    io::{self, Write as _},
    path::Path,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{
        State,
        ws::{Message, WebSocket, WebSocketUpgrade},
    },
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use futures_core::Stream;
use tokio::time::{Interval, interval, sleep};

/// The time that a slow request takes.
const SLOW: Duration = Duration::from_millis(20);
/// The time between two events of a stream.
const EVENTS: Duration = Duration::from_millis(20);
const EVENT: Bytes = Bytes::from_static(b"data: tick\n\n");

/// The orders that were done, of all servers of a fleet: a file to which each id is appended by one
/// write.
#[derive(Clone, Debug)]
struct Record(Arc<File>);

pub(super) fn app(record: &Path) -> io::Result<Router> {
    let record = OpenOptions::new().create(true).append(true).open(record)?;
    Ok(Router::new()
        .route("/", get(async || "hello\n"))
        .route("/slow", get(slow))
        .route("/orders", post(order))
        .route("/events", get(events))
        .route("/websocket", get(websocket))
        .with_state(Record(Arc::new(record))))
}

async fn slow() -> &'static str {
    sleep(SLOW).await;
    "done\n"
}

/// Records the id of the order, and so does it.
async fn order(State(record): State<Record>, body: String) -> StatusCode {
    let order = serde_json::from_str::<serde_json::Value>(&body).unwrap_or_default();
    let Some(id) = order["id"].as_str() else { return StatusCode::BAD_REQUEST };
    match (&*record.0).write_all(format!("{id}\n").as_bytes()) {
        Ok(()) => StatusCode::CREATED,
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

async fn events() -> Response {
    let body = Body::from_stream(Events(interval(EVENTS)));
    ([(CONTENT_TYPE, "text/event-stream")], body).into_response()
}

async fn websocket(upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(converse)
}

/// Sends a message now and then, until the client closes.
async fn converse(mut socket: WebSocket) {
    let mut ticks = interval(EVENTS);
    loop {
        tokio::select! {
            message = socket.recv() => match message {
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(_)) => {}
            },
            _ = ticks.tick() => if socket.send(Message::text("tick")).await.is_err() { return },
        }
    }
}

/// Events without an end.
#[derive(Debug)]
struct Events(Interval);

impl Stream for Events {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        ready!(self.0.poll_tick(cx));
        Poll::Ready(Some(Ok(EVENT)))
    }
}
