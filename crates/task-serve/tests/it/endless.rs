//! Clients that would hold a server for ever: each stop ends within its budget, and the report
//! names who held it.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::{
    client::Client,
    server::{SECOND, start, status},
};

/// Sends a text, and stops the server. Returns the failures and the status in its report.
async fn stopped(text: &str) -> (String, String) {
    let server = start(Duration::ZERO).await;
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

#[tokio::test(start_paused = true)]
async fn a_handler_that_does_not_answer_is_cut_and_a_failure() {
    let (failures, status) = stopped("GET /stuck?secret HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(status.starts_with("1 connection cut: 1 GET /stuck ("), "{status}");
    assert!(failures.contains(&status), "{failures}");
}

#[tokio::test(start_paused = true)]
async fn half_a_body_is_cut_and_a_failure() {
    let (failures, status) =
        stopped("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc").await;
    assert_eq!((failures.as_str(), status.as_str()), ("", ""));
}

#[tokio::test(start_paused = true)]
async fn half_a_header_is_cut_and_no_failure() {
    let (failures, status) = stopped("GET / HTTP/1.1\r\nHo").await;
    assert!(status.starts_with("1 connection cut: 1 incomplete header ("), "{status}");
    assert_eq!(failures, "");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_is_cut_and_a_failure() {
    let (failures, status) = stopped("GET /big HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(status.starts_with("1 connection cut: 1 GET /big ("), "{status}");
    assert!(failures.contains(&status), "{failures}");
}
