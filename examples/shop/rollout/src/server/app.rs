//! The application that every server under test serves.
//!
//! Under `ServeTask` a request brings the context of the task, so that streams and WebSockets are
//! ended before the server goes. The plain servers have nothing of the kind, and neither have their
//! streams: most services do not build it by hand.

use std::{
    convert::Infallible,
    fs::{File, OpenOptions},
    future::pending,
    io::{self, Write as _},
    path::Path,
    pin::{Pin, pin},
    sync::Arc,
    task::{self, Poll, ready},
    time::Duration,
};

use axum::{
    Extension, Router,
    body::{Body, Bytes},
    extract::{
        State,
        ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade},
    },
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use futures_core::Stream;
use task_serve::until_stop;
use taskkit::Context;
use tokio::time::{Interval, interval, sleep};

/// The time that a slow request takes.
const SLOW: Duration = Duration::from_millis(20);
/// The time between two events of a stream.
const EVENTS: Duration = Duration::from_millis(20);
const EVENT: Bytes = Bytes::from_static(b"data: tick\n\n");
const LAST_EVENT: Bytes = Bytes::from_static(b"event: stopping\ndata:\n\n");
/// The code of a Close by an endpoint that goes.
const GOING_AWAY: u16 = 1001;

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

async fn events(task: Option<Extension<Context>>) -> Response {
    let ticks = Ticks(interval(EVENTS));
    let body = match task {
        Some(Extension(ctx)) => Body::from_stream(Events(Some(until_stop(&ctx, ticks)))),
        None => Body::from_stream(Events(Some(ticks))),
    };
    ([(CONTENT_TYPE, "text/event-stream")], body).into_response()
}

async fn websocket(task: Option<Extension<Context>>, upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(async move |socket| {
        let stopped = async {
            match task {
                Some(Extension(ctx)) => ctx.cancelled().await,
                None => pending().await,
            }
        };
        converse(socket, stopped).await;
    })
}

/// Sends a message now and then, until the client closes, or the server stops and says so.
async fn converse(mut socket: WebSocket, stopped: impl Future<Output = ()>) {
    let mut ticks = interval(EVENTS);
    let mut stopped = pin!(stopped);
    loop {
        tokio::select! {
            message = socket.recv() => match message {
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(_)) => {}
            },
            () = &mut stopped => {
                let close = CloseFrame { code: GOING_AWAY, reason: "stopping".into() };
                // The client may be gone.
                let _ = socket.send(Message::Close(Some(close))).await;
                while let Some(Ok(_)) = socket.recv().await {}
                return;
            }
            _ = ticks.tick() => if socket.send(Message::text("tick")).await.is_err() { return },
        }
    }
}

/// A stream without an end.
struct Ticks(Interval);

impl Stream for Ticks {
    type Item = ();

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Option<()>> {
        self.0.poll_tick(cx).map(|_| Some(()))
    }
}

/// An event for each item of a stream, and a last one at its end.
struct Events<S>(Option<S>);

impl<S: Stream<Item = ()> + Unpin> Stream for Events<S> {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(ticks) = &mut self.0 else { return Poll::Ready(None) };
        let tick = ready!(Pin::new(ticks).poll_next(cx));
        if tick.is_none() {
            self.0 = None;
            return Poll::Ready(Some(Ok(LAST_EVENT)));
        }
        Poll::Ready(Some(Ok(EVENT)))
    }
}
