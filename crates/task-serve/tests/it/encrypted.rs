//! TLS: both versions of HTTP, and certificates that change under load.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use task_serve::Limits;
use tokio::{net::TcpStream, time::sleep};

use crate::{
    authority::Authority,
    server::{SECOND, Server, api, start_with, status},
};

async fn start(authority: &Authority) -> Server {
    let limits = Limits::default().reload_interval(Duration::from_millis(10));
    let tls = authority.tls("one.test");
    start_with(|serve| serve.limits(limits).tls(tls).unwrap(), api(), Duration::ZERO).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_changes_under_load_fails_no_handshake() {
    let authority = Arc::new(Authority::new("serve-swap"));
    let server = start(&authority).await;
    let (address, is_over) = (server.address, Arc::new(AtomicBool::new(false)));
    let mut clients = Vec::new();
    for _ in 0..4 {
        let (authority, is_over) = (Arc::clone(&authority), Arc::clone(&is_over));
        clients.push(tokio::spawn(async move {
            let mut handshakes = 0;
            while !is_over.load(Ordering::Relaxed) {
                let mut client = authority.connect(address, "one.test").await.unwrap();
                assert_eq!(client.get("/").await.status, 200);
                handshakes += 1;
            }
            handshakes
        }));
    }
    for _ in 0..20 {
        authority.sign("one.test");
        sleep(Duration::from_millis(25)).await;
    }
    is_over.store(true, Ordering::Relaxed);
    for client in clients {
        assert!(client.await.unwrap() > 0);
    }
    let metrics = server.stats.to_string();
    assert!(!metrics.contains("task_serve_reloads_total 0\n"), "{metrics}");
    assert!(metrics.contains("task_serve_handshakes_failed_total 0\n"), "{metrics}");
    assert!(server.stopped().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_handshake_that_rests_is_closed_by_the_stop_and_named() {
    let authority = Authority::new("serve-rests");
    let server = start(&authority).await;
    let client = TcpStream::connect(server.address).await.unwrap();
    sleep(SECOND).await;
    let report = server.stopped().await;
    assert!(report.is_clean(), "{report}");
    let status = status(&report);
    assert!(status.starts_with("1 connection cut: 1 TLS handshake ("), "{status}");
    drop(client);
}
