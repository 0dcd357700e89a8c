//! Clients that would hold a server for ever: each stop ends within its budget, and the report
//! names who held it. Those of HTTP/2, of TLS and of upgrades are with their kind.

use std::{convert::Infallible, time::Duration};

use axum::{
    Extension, Router,
    body::{Body, Bytes},
    http::header::CONTENT_TYPE,
    routing::get,
};
use futures_core::Stream;
use task_core::{Context, Timeout};
use task_serve::{Limits, until_stop};
use tokio::time::{Instant, sleep};

use crate::{
    client::Client,
    server::{SECOND, api, start_with, status},
};

/// Sends a text, and stops the server. Returns the failures and the status in its report.
async fn stopped(text: &str, api: Router) -> (String, String) {
    let limits = Limits::default().body_timeout(Timeout::Never);
    let server = start_with(|serve| serve.limits(limits), api, Duration::ZERO).await;
    let mut client = Client::connect(server.address).await;
    client.send(text).await;
    sleep(SECOND).await;
    let begun = Instant::now();
    let report = server.stopped().await;
    assert!(begun.elapsed() <= 60 * SECOND, "{:?}", begun.elapsed());
    let failures: Vec<_> = report.failures().iter().map(|failure| failure.to_string()).collect();
    drop(client);
    (failures.join("; "), status(&report))
}

/// Checks that a client is cut, by this name, and that it is a failure.
async fn is_cut(text: &str, api: Router, name: &str) {
    let (failures, status) = stopped(text, api).await;
    assert!(status.starts_with(&format!("1 connection cut: 1 {name} (")), "{status}");
    assert!(failures.contains(&status), "{failures}");
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_does_not_answer_is_cut_and_a_failure() {
    is_cut("GET /stuck?secret HTTP/1.1\r\nHost: x\r\n\r\n", api(), "GET /stuck").await;
}

/// hyper does not look at the stream of a connection that has a further request in its buffer, so
/// no read fails because of the cut.
#[tokio::test(start_paused = true)]
async fn a_connection_with_a_further_request_is_cut_at_once() {
    let limits = Limits::default().stop_timeout(5 * SECOND);
    let server = start_with(|serve| serve.limits(limits), api(), Duration::ZERO).await;
    let mut client = Client::connect(server.address).await;
    client.send("GET /stuck HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    sleep(SECOND).await;
    let begun = Instant::now();
    let report = server.stopped().await;
    // Less than the time after which the server would leave it to the drop of all that it has.
    assert!(begun.elapsed() < 5 * SECOND + Duration::from_millis(100), "{:?}", begun.elapsed());
    let status = status(&report);
    assert!(status.starts_with("1 connection cut: 1 GET /stuck ("), "{status}");
}

#[tokio::test(start_paused = true)]
async fn half_a_body_is_cut_and_a_failure() {
    let text = "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc";
    is_cut(text, api(), "POST /echo").await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_is_cut_and_a_failure() {
    is_cut("GET /big HTTP/1.1\r\nHost: x\r\n\r\n", api(), "GET /big").await;
}

#[tokio::test(start_paused = true)]
async fn half_a_header_is_cut_and_no_failure() {
    let (failures, status) = stopped("GET / HTTP/1.1\r\nHo", api()).await;
    assert!(status.starts_with("1 connection cut: 1 incomplete header ("), "{status}");
    assert_eq!(failures, "");
}

/// Events once a second, without an end.
struct Events(tokio::time::Interval);

impl Stream for Events {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        self.0.poll_tick(cx).map(|_| Some(Ok(Bytes::from_static(b"data: tick\n\n"))))
    }
}

/// Serves events at `/events`: with an end at the stop, or without one.
fn events(end: bool) -> Router {
    let handler = async move |Extension(ctx): Extension<Context>| {
        let events = Events(tokio::time::interval(SECOND));
        let body = match end {
            true => Body::from_stream(until_stop(&ctx, events)),
            false => Body::from_stream(events),
        };
        ([(CONTENT_TYPE, "text/event-stream")], body)
    };
    Router::new().route("/events", get(handler))
}

#[tokio::test(start_paused = true)]
async fn events_without_an_end_are_cut_and_a_failure() {
    is_cut("GET /events HTTP/1.1\r\nHost: x\r\n\r\n", events(false), "SSE /events").await;
}

#[tokio::test(start_paused = true)]
async fn events_until_the_stop_end_with_it() {
    let begun = Instant::now();
    let request = "GET /events HTTP/1.1\r\nHost: x\r\n\r\n";
    let (failures, status) = stopped(request, events(true)).await;
    assert_eq!((failures.as_str(), status.as_str()), ("", ""));
    assert!(begun.elapsed() < 5 * SECOND);
}
