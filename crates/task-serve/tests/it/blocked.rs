//! A handler that blocks its thread, and cannot be dropped.

use std::{thread, time::Duration};

use axum::{Router, routing::get};
use task_core::Outcome;
use task_manager::Manager;
use task_serve::ServeTask;
use tokio::time::sleep;

use crate::client::Client;

/// Cleanups run beside it, and so the report says that it lives.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_handler_that_outlives_the_stop_is_named_by_the_report() {
    let block = async || {
        thread::sleep(Duration::from_secs(6));
        "late"
    };
    let api = Router::new().route("/block", get(block));
    let serve = ServeTask::bind("127.0.0.1:0").unwrap().service(api);
    let address = serve.local_addr().unwrap();
    let manager = Manager::builder().shutdown_timeout(Duration::from_secs(2)).build().unwrap();
    manager.run(serve).unwrap();
    let mut client = Client::connect(address).await;
    client.send("GET /block HTTP/1.1\r\nHost: x\r\n\r\n").await;
    sleep(Duration::from_millis(500)).await;
    let error = manager.shutdown().await.unwrap_err();
    let report = error.report().unwrap();
    assert_eq!(report.tasks()[0].outcome, Outcome::Abandoned, "{report}");
    assert!(report.to_string().contains("GET /block"), "{report}");
}
