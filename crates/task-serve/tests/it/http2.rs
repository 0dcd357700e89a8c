//! HTTP/2 in clear text: streams, GOAWAY, and clients that do not answer it.

use std::{future::poll_fn, net::SocketAddr, pin::Pin, time::Duration};

use axum::{Router, body::Body};
use http_body::Body as _;
use hyper::{Request, client::conn::http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use task_serve::Limits;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};

use crate::{
    client::get,
    server::{LARGE, SECOND, api, start, start_with, status},
};

/// The client's half of a connection, and the task that drives it.
type Connection = (http2::SendRequest<Body>, JoinHandle<hyper::Result<()>>);

async fn connect(
    address: SocketAddr,
    configure: impl FnOnce(&mut http2::Builder<TokioExecutor>),
) -> Connection {
    let stream = TcpStream::connect(address).await.unwrap();
    // Or the paused clock would advance while the system holds a small frame back.
    stream.set_nodelay(true).unwrap();
    let stream = TokioIo::new(stream);
    let mut builder = http2::Builder::new(TokioExecutor::new());
    configure(&mut builder);
    let (sender, connection) = builder.handshake(stream).await.unwrap();
    (sender, tokio::spawn(connection))
}

fn request(address: SocketAddr, path: &str) -> Request<Body> {
    Request::get(format!("http://{address}{path}")).body(Body::empty()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_hundred_streams_that_are_open_at_the_goaway_are_answered() {
    let server = start(Duration::ZERO).await;
    let (mut sender, connection) = connect(server.address, |_| ()).await;
    let mut answers = Vec::new();
    for _ in 0..100 {
        sender.ready().await.unwrap();
        answers.push(tokio::spawn(sender.send_request(request(server.address, "/after/5"))));
    }
    sleep(SECOND).await;
    assert_eq!(server.stats.in_flight(), 100);
    let report = server.stopped().await;
    assert!(report.is_clean(), "{report}");
    for answer in answers {
        assert_eq!(answer.await.unwrap().unwrap().status(), 200);
    }
    // The connection ended after the last of them, and not with an error.
    drop(sender);
    connection.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_drain_sends_a_goaway_with_the_next_answer_and_not_before() {
    let server = start(10 * SECOND).await;
    let address = server.address;
    let (mut sender, connection) = connect(address, |_| ()).await;
    assert_eq!(sender.send_request(request(address, "/")).await.unwrap().status(), 200);
    let stopped = tokio::spawn(server.stopped());
    sleep(2 * SECOND).await;
    assert!(!connection.is_finished());
    assert_eq!(sender.send_request(request(address, "/")).await.unwrap().status(), 200);
    timeout(2 * SECOND, connection).await.unwrap().unwrap().unwrap();
    // The server still accepts.
    assert_eq!(get(address, "/").await.status, 200);
    assert!(stopped.await.unwrap().is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_old_is_sent_away_with_nothing_lost() {
    let limits = Limits::default().connection_age(10 * SECOND);
    let server = start_with(|serve| serve.limits(limits), api(), Duration::ZERO).await;
    let (mut sender, connection) = connect(server.address, |_| ()).await;
    sleep(8 * SECOND).await;
    let answer = tokio::spawn(sender.send_request(request(server.address, "/after/5")));
    assert_eq!(answer.await.unwrap().unwrap().status(), 200);
    timeout(2 * SECOND, connection).await.unwrap().unwrap().unwrap();
    assert!(server.stopped().await.is_clean());
}

/// It sends its preface, and answers nothing from then on.
#[tokio::test(start_paused = true)]
async fn a_client_that_acknowledges_no_goaway_is_closed_and_named() {
    let server = start(Duration::ZERO).await;
    let mut client = TcpStream::connect(server.address).await.unwrap();
    client.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    sleep(SECOND).await;
    let begun = Instant::now();
    let report = server.stopped().await;
    assert!(begun.elapsed() < 4 * SECOND, "{:?}", begun.elapsed());
    assert!(report.is_clean(), "{report}");
    let status = status(&report);
    assert!(status.contains("1 HTTP/2 connection without an answer to the GOAWAY"), "{status}");
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).await.unwrap();
}

/// It resets its stream as well, and the handler ends after the stop.
#[tokio::test(start_paused = true)]
async fn such_a_client_is_closed_soon_after_a_handler_that_it_does_not_wait_for() {
    let api = Router::new().route("/", axum::routing::get(async || sleep(5 * SECOND).await));
    let server = start_with(|serve| serve.finish_handlers(), api, Duration::ZERO).await;
    let mut client = TcpStream::connect(server.address).await.unwrap();
    client.set_nodelay(true).unwrap();
    client.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    // GET / over http.
    client.write_all(b"\0\0\x03\x01\x05\0\0\0\x01\x82\x86\x84").await.unwrap();
    sleep(SECOND).await;
    assert_eq!(server.stats.in_flight(), 1);
    client.write_all(b"\0\0\x04\x03\0\0\0\0\x01\0\0\0\x08").await.unwrap();
    sleep(SECOND).await;
    let begun = Instant::now();
    let report = server.stopped().await;
    assert!((3 * SECOND..7 * SECOND).contains(&begun.elapsed()), "{:?}", begun.elapsed());
    assert!(report.is_clean(), "{report}");
    let status = status(&report);
    assert!(status.contains("1 HTTP/2 connection without an answer to the GOAWAY"), "{status}");
}

#[tokio::test(start_paused = true)]
async fn a_stream_whose_client_takes_nothing_is_reset_and_the_others_go_on() {
    let limits = Limits::default().write_timeout(4 * SECOND);
    let server = start_with(|serve| serve.limits(limits), api(), Duration::ZERO).await;
    let (mut sender, _connection) = connect(server.address, |http2| {
        http2.initial_stream_window_size(100);
    })
    .await;
    let mut stalled = sender.send_request(request(server.address, "/pieces")).await.unwrap();
    sleep(7 * SECOND).await;
    assert_eq!(server.stats.in_flight(), 0);
    assert_eq!(sender.send_request(request(server.address, "/")).await.unwrap().status(), 200);
    let error = loop {
        if let Err(error) = read(stalled.body_mut()).await.expect("it has no end") {
            break error;
        }
    };
    assert!(error.to_string().contains("body"), "{error}");
    assert!(server.stopped().await.is_clean());
}

/// Reads the next frame of a body, and returns whether there was one.
async fn read(body: &mut hyper::body::Incoming) -> Option<hyper::Result<usize>> {
    let frame = poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await?;
    Some(frame.map(|frame| frame.data_ref().map_or(0, |data| data.len())))
}

/// The handler and the body are done, and hyper has all of the answer.
#[tokio::test(start_paused = true)]
async fn an_answer_that_waits_for_the_window_is_in_flight() {
    let server = start(Duration::ZERO).await;
    let (mut sender, _connection) = connect(server.address, |http2| {
        http2.initial_stream_window_size(1_000);
    })
    .await;
    let mut answer = sender.send_request(request(server.address, "/large")).await.unwrap();
    sleep(SECOND).await;
    assert_eq!(server.stats.in_flight(), 1);
    let stopped = tokio::spawn(server.stopped());
    let mut length = 0;
    while let Some(read) = read(answer.body_mut()).await {
        length += read.unwrap();
        sleep(SECOND / 2).await;
    }
    assert_eq!(length, LARGE);
    let report = stopped.await.unwrap();
    assert!(report.is_clean(), "{report}");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_waits_for_the_window_too_long_closes_the_connection() {
    let limits = Limits::default().write_timeout(4 * SECOND);
    let server = start_with(|serve| serve.limits(limits), api(), Duration::ZERO).await;
    let (mut sender, connection) = connect(server.address, |http2| {
        http2.initial_stream_window_size(1_000);
    })
    .await;
    let answer = sender.send_request(request(server.address, "/large")).await.unwrap();
    let begun = Instant::now();
    timeout(20 * SECOND, connection).await.unwrap().unwrap().unwrap_err();
    assert!((4 * SECOND..8 * SECOND).contains(&begun.elapsed()), "{:?}", begun.elapsed());
    assert_eq!(server.stats.in_flight(), 0);
    drop(answer);
    assert!(server.stopped().await.is_clean());
}

/// The handler ends in a task of its own, and has nothing to say to the connection.
#[tokio::test(start_paused = true)]
async fn a_connection_is_idle_from_the_end_of_a_handler_whose_stream_was_reset() {
    let limits = Limits::default().idle_timeout(3 * SECOND).write_timeout(60 * SECOND);
    let configure = |serve: task_serve::ServeTask| serve.limits(limits).finish_handlers();
    let server = start_with(configure, api(), Duration::ZERO).await;
    let (mut sender, connection) = connect(server.address, |_| ()).await;
    let answer = sender.send_request(request(server.address, "/after/5"));
    assert!(timeout(SECOND, answer).await.is_err());
    let begun = Instant::now();
    let _ = connection.await.unwrap();
    assert!((6 * SECOND..9 * SECOND).contains(&begun.elapsed()), "{:?}", begun.elapsed());
    assert!(server.stopped().await.is_clean());
}
