//! What a server answers while it runs.

use std::time::Duration;

use task_core::{Phase, Task};
use task_serve::{Limits, ServeTask};

use crate::{
    client::{Client, get},
    server::{api, start, start_with},
};

#[tokio::test]
async fn a_router_is_served_and_connections_are_kept_alive() {
    let server = start(Duration::ZERO).await;
    let mut client = Client::connect(server.address).await;
    for _ in 0..3 {
        let answer = client.get("/").await;
        assert_eq!((answer.status, answer.text().as_str()), (200, "hello"));
        assert_eq!(answer.header("connection"), None);
    }
    client.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc").await;
    assert_eq!(client.response(true).await.text(), "abc");
    assert_eq!(server.stats.requests(), 4);
    assert_eq!((server.stats.connections(), server.stats.in_flight()), (1, 0));
    assert!(server.stopped().await.is_clean());
}

#[tokio::test]
async fn a_handler_finds_the_context_and_the_address_of_its_client() {
    let server = start(Duration::ZERO).await;
    assert_eq!(get(server.address, "/stage").await.text(), "Running");
    assert!(get(server.address, "/client").await.text().starts_with("Some(127.0.0.1:"));
    assert!(server.stopped().await.is_clean());
}

#[tokio::test]
async fn a_panic_of_a_handler_is_answered_and_the_connection_goes_on() {
    let server = start(Duration::ZERO).await;
    let mut client = Client::connect(server.address).await;
    assert_eq!(client.get("/panic").await.status, 500);
    assert_eq!(client.get("/").await.status, 200);
    assert!(server.stopped().await.is_clean());
}

#[tokio::test]
async fn an_inherited_listener_is_served_beside_its_own() {
    let inherited = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = inherited.local_addr().unwrap();
    let configure = |serve: ServeTask| serve.listener(inherited.try_into().unwrap());
    let server = start_with(configure, api(), Duration::ZERO).await;
    for address in [server.address, address] {
        assert_eq!(get(address, "/").await.status, 200);
    }
    assert!(server.stopped().await.is_clean());
}

#[cfg(unix)]
#[tokio::test]
async fn a_unix_socket_is_served() {
    let path = std::env::temp_dir().join(format!("task-serve-{}.sock", std::process::id()));
    let unix = task_serve::ListenOptions::default().bind_unix(&path).unwrap();
    let server = start_with(|serve| serve.listener(unix), api(), Duration::ZERO).await;
    let mut client = Client::new(tokio::net::UnixStream::connect(&path).await.unwrap());
    assert_eq!(client.get("/client").await.text(), "None");
    assert!(server.stopped().await.is_clean());
    assert!(!path.exists());
}

#[tokio::test]
async fn it_stops_first_and_gates_the_readiness() {
    let serve = ServeTask::bind("127.0.0.1:0").unwrap().limits(Limits::default()).service(api());
    assert_eq!((serve.phase(), serve.name()), (Phase::INGRESS, "serve".into()));
    assert!(serve.gates_readiness());
}
