//! Connections that leave HTTP: they belong to the server as long as they live.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Extension, Router,
    extract::Request,
    http::StatusCode,
    middleware::{Next, from_fn},
    response::Response,
    routing::get,
};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use task_core::Context;
use task_serve::Limits;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, sleep},
};

use crate::{
    client::Client,
    server::{SECOND, Server, start_with, status},
};

const REQUEST: &str =
    "GET /ws?secret HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";

/// Switches protocols, and gives the stream to `talk`.
fn upgrading<F>(talk: fn(TokioIo<Upgraded>, Context) -> F) -> Router
where
    F: Future<Output = ()> + Send + 'static,
{
    let switch = async move |Extension(ctx): Extension<Context>, mut request: Request| {
        tokio::spawn(async move {
            if let Ok(upgraded) = hyper::upgrade::on(&mut request).await {
                talk(TokioIo::new(upgraded), ctx).await;
            }
        });
        let response = Response::builder().status(StatusCode::SWITCHING_PROTOCOLS);
        let response = response.header("connection", "upgrade").header("upgrade", "websocket");
        Ok::<_, Infallible>(response.body(axum::body::Body::empty()).unwrap())
    };
    Router::new().route("/ws", get(switch))
}

/// Echoes until the stream ends.
async fn echo(mut stream: TokioIo<Upgraded>, _ctx: Context) {
    let mut buffer = [0; 16];
    while let Ok(read @ 1..) = stream.read(&mut buffer).await {
        stream.write_all(&buffer[..read]).await.unwrap();
    }
}

/// Says good-bye at the stop, and waits for the client's.
async fn polite(mut stream: TokioIo<Upgraded>, ctx: Context) {
    ctx.cancelled().await;
    let _ = stream.write_all(b"bye").await;
    let _ = stream.read(&mut [0; 3]).await;
}

async fn start(api: Router) -> Server {
    start_with(|serve| serve, api, Duration::ZERO).await
}

async fn upgraded(server: &Server) -> Client<TcpStream> {
    let mut client = Client::connect(server.address).await;
    client.send(REQUEST).await;
    assert_eq!(client.response(false).await.status, 101);
    client
}

#[tokio::test(start_paused = true)]
async fn an_upgraded_connection_without_an_end_is_cut_and_named() {
    let server = start(upgrading(echo)).await;
    let mut client = upgraded(&server).await;
    client.send("hello").await;
    // Longer than each time limit of a connection.
    sleep(1_000 * SECOND).await;
    assert!(client.is_open().await);
    assert_eq!(server.stats.connections(), 1);
    let begun = Instant::now();
    let report = server.stopped().await;
    assert!(begun.elapsed() <= 60 * SECOND);
    let status = status(&report);
    assert!(status.starts_with("1 connection cut: 1 WebSocket /ws ("), "{status}");
    assert!(report.failures()[0].to_string().contains(&status), "{report}");
    client.closed().await;
}

#[tokio::test(start_paused = true)]
async fn a_good_bye_is_waited_for() {
    let server = start(upgrading(polite)).await;
    let mut client = upgraded(&server).await;
    let stopped = tokio::spawn(server.stopped());
    sleep(3 * SECOND).await;
    assert!(!stopped.is_finished());
    client.send("bye").await;
    let report = stopped.await.unwrap();
    assert!(report.is_clean(), "{report}");
    client.closed().await;
}

/// The handler could not know that its answer will be replaced.
#[tokio::test(start_paused = true)]
async fn an_upgrade_after_the_stop_is_refused_before_its_handler_is_called() {
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    let count = async |request: Request, next: Next| {
        CALLS.fetch_add(1, Ordering::Relaxed);
        next.run(request).await
    };
    let api = upgrading(polite).route_layer(from_fn(count));
    let limits = Limits::default().min_keep_alive(10 * SECOND);
    let server = start_with(|serve| serve.limits(limits), api, Duration::ZERO).await;
    let mut first = upgraded(&server).await;
    let mut second = Client::connect(server.address).await;
    assert_eq!(second.get("/").await.status, 404);
    let calls = CALLS.load(Ordering::Relaxed);
    let stopped = tokio::spawn(server.stopped());
    assert_eq!(first.read(3).await, b"bye");
    second.send(REQUEST).await;
    let answer = second.response(true).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
    assert_eq!((calls, CALLS.load(Ordering::Relaxed)), (1, 1));
    first.send("bye").await;
    let report = stopped.await.unwrap();
    assert!(report.is_clean(), "{report}");
}

/// Clients that connect again at once, as they do when a server closes theirs.
#[tokio::test(flavor = "multi_thread")]
async fn clients_that_connect_again_do_not_get_into_a_server_that_stops() {
    let server = start(upgrading(polite)).await;
    let accepted = Arc::new(AtomicUsize::new(0));
    let mut clients = Vec::new();
    for _ in 0..100 {
        let mut client = upgraded(&server).await;
        let (address, accepted) = (server.address, Arc::clone(&accepted));
        clients.push(tokio::spawn(async move {
            // Also over a connection that was open before, where no accept can stand in the way.
            let mut other = Client::connect(address).await;
            assert_eq!(client.read(3).await, b"bye");
            other.send(REQUEST).await;
            let answer = other.try_response(false).await;
            if answer.is_some_and(|answer| answer.status == 101) {
                accepted.fetch_add(1, Ordering::Relaxed);
            }
            client.send("bye").await;
            if let Ok(stream) = TcpStream::connect(address).await {
                let mut again = Client::new(stream);
                again.send(REQUEST).await;
                let answer = again.try_response(false).await;
                if answer.is_some_and(|answer| answer.status == 101) {
                    accepted.fetch_add(1, Ordering::Relaxed);
                }
            }
        }));
    }
    // Each has its other connection by then.
    while server.stats.connections() < 200 {
        sleep(Duration::from_millis(5)).await;
    }
    let begun = Instant::now();
    let report = server.stopped().await;
    for client in clients {
        client.await.unwrap();
    }
    assert_eq!(accepted.load(Ordering::Relaxed), 0);
    assert!(report.is_clean(), "{report}");
    assert!(begun.elapsed() < 30 * SECOND);
}
