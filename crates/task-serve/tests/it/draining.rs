//! The stop as clients see it: nothing that was answered before is lost, and nothing new is.

use std::time::Duration;

use tokio::{
    net::TcpStream,
    time::{Instant, sleep},
};

use crate::{
    client::{Client, get},
    server::{SECOND, start, status},
};

#[tokio::test(start_paused = true)]
async fn a_drain_answers_with_close_and_leaves_idle_connections_open() {
    let server = start(5 * SECOND).await;
    let mut idle = Client::connect(server.address).await;
    assert_eq!(idle.get("/").await.header("connection"), None);
    let handle = server.handle.clone();
    let address = server.address;
    let stopped = tokio::spawn(server.stopped());
    handle.stop();
    sleep(SECOND).await;
    assert!(idle.is_open().await);
    assert_eq!(get(address, "/").await.header("connection"), Some("close"));
    let answer = idle.get("/").await;
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));
    idle.closed().await;
    let report = stopped.await.unwrap();
    assert!(report.is_clean(), "{report}");
    TcpStream::connect(address).await.unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn an_answer_in_flight_is_waited_for_and_named_meanwhile() {
    let server = start(Duration::ZERO).await;
    let mut client = Client::connect(server.address).await;
    client.send("GET /after/10 HTTP/1.1\r\nHost: x\r\n\r\n").await;
    sleep(SECOND).await;
    let group = server.handle.group().unwrap();
    let begun = Instant::now();
    let stopped = tokio::spawn(server.stopped());
    sleep(3 * SECOND).await;
    let snapshot = group.snapshot();
    let task = snapshot.tasks.iter().find(|task| task.name == "serve").unwrap();
    let text = task.status.as_deref().unwrap();
    assert!(text.starts_with("1 in flight, oldest GET /after/10 "), "{text}");
    let answer = client.response(true).await;
    assert_eq!((answer.text().as_str(), answer.header("connection")), ("late", Some("close")));
    let report = stopped.await.unwrap();
    assert!(report.is_clean(), "{report}");
    assert_eq!(status(&report), "");
    assert!(begun.elapsed() < 11 * SECOND);
}

/// A client that connected before the stop, and was not accepted yet.
#[tokio::test(flavor = "current_thread")]
async fn a_connection_that_waits_in_the_queue_is_answered() {
    let server = start(Duration::ZERO).await;
    assert_eq!(get(server.address, "/").await.status, 200);
    let mut clients = Vec::new();
    // Without an await, the server accepts none of them before the stop.
    for _ in 0..20 {
        let client = std::net::TcpStream::connect(server.address).unwrap();
        client.set_nonblocking(true).unwrap();
        std::io::Write::write_all(&mut &client, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        clients.push(client);
    }
    server.handle.stop();
    let stopped = tokio::spawn(server.stopped());
    for client in clients {
        let mut client = Client::new(TcpStream::from_std(client).unwrap());
        let answer = client.response(true).await;
        assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));
    }
    assert!(stopped.await.unwrap().is_clean());
}
