//! Requests that must not be done twice, under load, over stops: what clients know of them is what
//! the server did.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, extract::Path, routing::post};
use task_serve::Limits;
use tokio::{net::TcpStream, time::sleep};

use crate::{client::Client, server::start_with};

/// Posts identifiers, each once, until the server is gone. Returns those that were answered, and
/// those of which it does not know.
async fn posts(address: std::net::SocketAddr, client: usize) -> (Vec<String>, Vec<String>) {
    let (mut answered, mut unknown) = (Vec::new(), Vec::new());
    let mut number = 0;
    while let Ok(stream) = TcpStream::connect(address).await {
        let mut connection = Client::new(stream);
        loop {
            number += 1;
            let id = format!("{client}-{number}");
            let request = format!("POST /{id} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
            if connection.try_send(request).await.is_err() {
                unknown.push(id);
                break;
            }
            let Some(response) = connection.try_response(true).await else {
                unknown.push(id);
                break;
            };
            assert_eq!(response.status, 200);
            answered.push(id);
            if response.header("connection") == Some("close") {
                break;
            }
        }
    }
    (answered, unknown)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_was_done_once_and_nothing_is_done_twice() {
    for drain in [0, 20, 100] {
        let done = Arc::new(Mutex::new(HashMap::<String, u32>::new()));
        let log = Arc::clone(&done);
        let count = async move |Path(id): Path<String>| {
            tokio::task::yield_now().await;
            *log.lock().unwrap().entry(id).or_default() += 1;
        };
        let api = Router::new().route("/{id}", post(count));
        let limits = Limits::default().min_keep_alive(Duration::from_millis(20));
        let drain = Duration::from_millis(drain);
        let server = start_with(|serve| serve.limits(limits), api, drain).await;
        let clients: Vec<_> =
            (0..10).map(|client| tokio::spawn(posts(server.address, client))).collect();
        while done.lock().unwrap().len() < 500 {
            sleep(Duration::from_millis(1)).await;
        }
        let report = server.stopped().await;
        assert!(report.is_clean(), "{report}");
        let (mut answered, mut unknown) = (HashSet::new(), HashSet::new());
        for client in clients {
            let (more, other) = client.await.unwrap();
            answered.extend(more);
            unknown.extend(other);
        }
        let done = done.lock().unwrap();
        assert!(answered.len() > 100, "{}", answered.len());
        assert!(answered.iter().all(|id| done.get(id) == Some(&1)));
        assert!(
            done.iter().all(|(id, times)| {
                *times == 1 && (answered.contains(id) || unknown.contains(id))
            })
        );
    }
}
