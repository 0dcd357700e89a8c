//! Limits: of requests, of connections, and in time.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    routing::{get, post},
};
use task_serve::Limits;
use tokio::{
    sync::Notify,
    time::{Instant, sleep},
};

use crate::{
    client::{Client, get as ask},
    server::{SECOND, api, start_with},
};

const GET: &str = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

#[tokio::test(start_paused = true)]
async fn what_finds_no_place_in_the_queue_or_waits_too_long_is_refused() {
    let gate = Arc::new(Notify::new());
    let held = Arc::clone(&gate);
    let api = Router::new().route("/", get(async move || held.notified().await));
    let limits = Limits::default().requests(1).queue(1).queue_timeout(2 * SECOND);
    let server = start_with(|serve| serve.limits(limits), api, Duration::ZERO).await;
    let mut clients = Vec::new();
    for _ in 0..3 {
        let mut client = Client::connect(server.address).await;
        client.send(GET).await;
        sleep(SECOND / 10).await;
        clients.push(client);
    }
    let [first, second, third] = &mut clients[..] else { panic!() };
    let begun = Instant::now();
    // The third is refused at once, the second after its time.
    let answer = third.response(true).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
    assert!(begun.elapsed() < SECOND);
    assert_eq!(second.response(true).await.status, 503);
    assert!((SECOND..3 * SECOND).contains(&begun.elapsed()));
    // Its connection goes on, and its next request waits for its turn.
    second.send(GET).await;
    sleep(SECOND).await;
    gate.notify_one();
    assert_eq!(first.response(true).await.status, 200);
    gate.notify_one();
    assert_eq!(second.response(true).await.status, 200);
    assert!(server.stopped().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_connection_without_a_request_makes_room_and_one_with_a_request_does_not() {
    let limits = Limits::default().connections(2);
    let server = start_with(|serve| serve.limits(limits), api(), Duration::ZERO).await;
    let mut busy = Client::connect(server.address).await;
    busy.send("GET /after/5 HTTP/1.1\r\nHost: x\r\n\r\n").await;
    let mut idle = Client::connect(server.address).await;
    assert_eq!(idle.get("/").await.status, 200);
    let begun = Instant::now();
    assert_eq!(ask(server.address, "/").await.status, 200);
    // Long before the busy one has left.
    assert!(begun.elapsed() < 2 * SECOND, "{:?}", begun.elapsed());
    idle.closed().await;
    assert_eq!(busy.response(true).await.text(), "late");
    assert!(server.stopped().await.is_clean());
}

/// Waits for the end of a connection that sent a text, and returns how long that took.
async fn closed_after(limits: Limits, text: &str) -> Duration {
    let server = start_with(|serve| serve.limits(limits), api(), Duration::ZERO).await;
    let mut client = Client::connect(server.address).await;
    let begun = Instant::now();
    client.send(text).await;
    client.closed().await;
    let took = begun.elapsed();
    assert!(server.stopped().await.is_clean());
    took
}

#[tokio::test(start_paused = true)]
async fn a_client_that_sends_too_slowly_is_closed() {
    let limits = Limits::default().header_timeout(3 * SECOND).idle_timeout(7 * SECOND);
    for text in ["", "GET / HTTP/1.1\r\nHo"] {
        let took = closed_after(limits.clone(), text).await;
        assert!((3 * SECOND..4 * SECOND).contains(&took), "{text}: {took:?}");
    }
    let took = closed_after(limits, GET).await;
    assert!((7 * SECOND..8 * SECOND).contains(&took), "{took:?}");
}

/// The timer was set to the later one before.
#[tokio::test(start_paused = true)]
async fn a_time_limit_that_is_earlier_than_the_one_before_it_is_kept() {
    let limits = Limits::default().header_timeout(7 * SECOND).idle_timeout(3 * SECOND);
    let took = closed_after(limits, GET).await;
    assert!((3 * SECOND..4 * SECOND).contains(&took), "{took:?}");
    let limits = Limits::default().header_timeout(3 * SECOND).idle_timeout(7 * SECOND);
    let took = closed_after(limits, &format!("{GET}{GET}")).await;
    assert!((7 * SECOND..8 * SECOND).contains(&took), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_nothing_of_its_answer_is_closed() {
    let limits = Limits::default().write_timeout(3 * SECOND);
    let server = start_with(|serve| serve.limits(limits), api(), Duration::ZERO).await;
    let mut client = Client::connect(server.address).await;
    client.send("GET /big HTTP/1.1\r\nHost: x\r\n\r\n").await;
    sleep(2 * SECOND).await;
    assert_eq!(server.stats.connections(), 1);
    sleep(2 * SECOND).await;
    assert_eq!(server.stats.connections(), 0);
    assert!(server.stopped().await.is_clean());
}

#[tokio::test]
async fn a_limit_of_the_header_without_end_is_one_that_serves() {
    let limits = Limits::default().headers(usize::MAX).header_bytes(usize::MAX);
    let server = start_with(|serve| serve.limits(limits), api(), Duration::ZERO).await;
    assert_eq!(ask(server.address, "/").await.status, 200);
    assert!(server.stopped().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_body_that_stalls_is_an_error_for_its_handler() {
    let limits = Limits::default().body_timeout(3 * SECOND);
    let api = Router::new().route(
        "/",
        post(async |body: Body| match axum::body::to_bytes(body, 100).await {
            Ok(_) => String::from("whole"),
            Err(error) => format!("{:?}", anyhow::Error::from(error)),
        }),
    );
    let server = start_with(|serve| serve.limits(limits), api, Duration::ZERO).await;
    let mut client = Client::connect(server.address).await;
    let begun = Instant::now();
    client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc").await;
    let answer = client.response(true).await;
    assert!((3 * SECOND..4 * SECOND).contains(&begun.elapsed()));
    assert!(answer.text().contains("the client sent nothing of the body for 3s"), "{answer:?}");
    assert!(server.stopped().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn an_old_connection_ends_with_its_next_answer() {
    let limits = Limits::default().connection_age(10 * SECOND);
    let server = start_with(|serve| serve.limits(limits), api(), Duration::ZERO).await;
    let mut client = Client::connect(server.address).await;
    sleep(8 * SECOND).await;
    assert_eq!(client.get("/").await.header("connection"), None);
    sleep(4 * SECOND).await;
    assert!(client.is_open().await);
    assert_eq!(client.get("/").await.header("connection"), Some("close"));
    client.closed().await;
    assert!(server.stopped().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_handler_finishes_without_its_client_only_if_it_is_to() {
    for finishes in [false, true] {
        let done = Arc::new(Notify::new());
        let notify = Arc::clone(&done);
        let api = Router::new().route(
            "/",
            get(async move || {
                sleep(5 * SECOND).await;
                notify.notify_one();
            }),
        );
        let configure = |serve: task_serve::ServeTask| {
            if finishes { serve.finish_handlers() } else { serve }
        };
        let server = start_with(configure, api, Duration::ZERO).await;
        let mut client = Client::connect(server.address).await;
        client.send(GET).await;
        sleep(SECOND).await;
        drop(client);
        sleep(SECOND).await;
        assert_eq!(server.stats.in_flight(), u64::from(finishes));
        // A stop waits for it.
        assert!(server.stopped().await.is_clean());
        let is_done = tokio::time::timeout(Duration::ZERO, done.notified()).await.is_ok();
        assert_eq!(is_done, finishes);
    }
}
