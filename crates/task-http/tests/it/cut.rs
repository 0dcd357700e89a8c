//! Responses that a stop cuts: named, and a failure where a service loses them.

use std::{future::pending, net::SocketAddr, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use task_core::{Phase, Task};
use task_http::{HttpTask, Limits};
use task_manager::{FailureKind, Manager, Report};
use tokio::time::sleep;

use crate::client::{Client, get};

const SECOND: Duration = Duration::from_secs(1);

/// Serves a route and a check that do not respond, in this phase.
fn serve(manager: &Manager, phase: Phase) -> SocketAddr {
    let stuck = |_: Request<Bytes>| pending::<anyhow::Result<Response<&str>>>();
    let http = HttpTask::builder()
        .limits(Limits::default().check_timeout(100 * SECOND).response_timeout(100 * SECOND))
        .route("/stuck", stuck)
        .route("/quick", async |_| Ok(Response::new("quick")))
        .check("stuck", pending)
        .bind("127.0.0.1:0")
        .unwrap();
    let address = http.local_addr().unwrap();
    manager.run(http.in_phase(phase)).unwrap();
    address
}

async fn request(address: SocketAddr, target: &str) -> Client<tokio::net::TcpStream> {
    let mut client = Client::connect(address).await;
    client.send(format!("POST {target} HTTP/1.1\r\nHost: x\r\n\r\n")).await;
    client
}

/// Stops the group while these requests have no response.
async fn stopped(phase: Phase, targets: &[&str]) -> Report {
    let manager = Manager::builder().shutdown_timeout(60 * SECOND).build().unwrap();
    let address = serve(&manager, phase);
    let mut clients = Vec::new();
    for target in targets {
        clients.push(request(address, target).await);
        sleep(SECOND).await;
    }
    assert_eq!(get(address, "/quick").await.text(), "quick");
    let idle = Client::connect(address).await;
    sleep(SECOND).await;
    let result = manager.shutdown().await;
    drop((clients, idle));
    result.unwrap_or_else(|error| error.report().unwrap().clone())
}

/// Requirement 10.
#[tokio::test(start_paused = true)]
async fn an_ingress_server_that_cuts_a_response_is_not_clean() {
    let report = stopped(Phase::INGRESS, &["/stuck?secret=1", "/stuck"]).await;
    assert_eq!(report.failures().len(), 1, "{report}");
    assert!(matches!(report.failures()[0].kind, FailureKind::Survived(_)));
    let text = report.to_string();
    // Two seconds and one before the stop, and the stop timeout of five.
    let cut = "2 responses cut at the stop: POST /stuck after 8.0 s, POST /stuck after 7.0 s";
    assert!(text.contains(&format!("failed and went on: {cut}\n")), "{text}");
    assert_eq!(report.tasks()[0].status.as_deref(), Some(cut));
}

#[tokio::test(start_paused = true)]
async fn a_server_of_support_that_cuts_a_response_is_clean_and_the_report_states_it() {
    let report = stopped(Phase::SUPPORT, &["/stuck"]).await;
    assert!(report.is_clean(), "{report}");
    let status = report.tasks()[0].status.as_deref();
    assert_eq!(status, Some("1 response cut at the stop: POST /stuck after 7.0 s"));
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_is_cut_is_no_failure_even_in_ingress() {
    let manager = Manager::builder().shutdown_timeout(60 * SECOND).build().unwrap();
    let address = serve(&manager, Phase::INGRESS);
    let mut client = Client::connect(address).await;
    client.send("GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n").await;
    sleep(SECOND).await;
    let report = manager.shutdown().await.unwrap();
    let status = report.tasks()[0].status.as_deref();
    assert_eq!(status, Some("1 response cut at the stop: GET /readyz after 6.0 s"));
}

#[tokio::test(start_paused = true)]
async fn a_stop_that_cuts_nothing_says_nothing() {
    let report = stopped(Phase::INGRESS, &[]).await;
    assert!(report.is_clean() && report.tasks()[0].status.is_none(), "{report:?}");
}

#[tokio::test(start_paused = true)]
async fn what_a_client_sends_is_bounded_and_escaped_and_the_rest_is_counted() {
    let long = format!("/{}", "x".repeat(3_000));
    let manager = Manager::builder().shutdown_timeout(60 * SECOND).build().unwrap();
    let http = HttpTask::builder()
        .limits(Limits::default().response_timeout(100 * SECOND).check_timeout(100 * SECOND))
        .check("stuck", pending)
        .route(&long, |_| pending::<anyhow::Result<Response<&str>>>())
        .bind("127.0.0.1:0")
        .unwrap();
    let address = http.local_addr().unwrap();
    manager.run(http.in_phase(Phase::INGRESS)).unwrap();
    let mut clients = Vec::new();
    for _ in 0..6 {
        let mut client = Client::connect(address).await;
        client.send("GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n").await;
        clients.push(client);
    }
    // A route comes first, however late it is.
    sleep(SECOND).await;
    clients.push(request(address, &long).await);
    sleep(SECOND).await;
    let error = manager.shutdown().await.unwrap_err();
    let text = error.report().unwrap().failures()[0].to_string();
    assert!(text.contains("7 responses cut at the stop: POST /xxx"), "{text}");
    assert!(text.ends_with(", and 2 more") && text.len() < 1_000, "{text}");
    assert!(!text.contains(&"x".repeat(100)), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_response_that_a_client_does_not_read_is_cut() {
    let manager = Manager::builder().shutdown_timeout(60 * SECOND).build().unwrap();
    let http = HttpTask::builder()
        .route("/big", async |_| Ok(Response::new("x".repeat(64 << 20))))
        .bind("127.0.0.1:0")
        .unwrap();
    let address = http.local_addr().unwrap();
    manager.run(http.in_phase(Phase::INGRESS)).unwrap();
    let client = request(address, "/big").await;
    sleep(SECOND).await;
    let error = manager.shutdown().await.unwrap_err();
    let text = error.report().unwrap().failures()[0].to_string();
    assert!(text.contains("1 response cut at the stop: POST /big"), "{text}");
    drop(client);
}
