//! The counters, as `task-http` serves them.

use std::time::Duration;

use task_core::{Context, Task, scope::StageCell};
use task_http::{HttpTask, text_source};

use crate::{
    client::{Client, get},
    server::start,
};

#[tokio::test]
async fn the_counters_are_a_source_of_the_metrics_server() {
    let server = start(Duration::ZERO).await;
    let mut client = Client::connect(server.address).await;
    for path in ["/", "/panic"] {
        client.get(path).await;
    }
    let stats = server.stats.clone();
    let source = text_source(move || stats.to_string());
    let http = HttpTask::builder().metrics(source).bind("127.0.0.1:0").unwrap();
    let address = http.local_addr().unwrap();
    let serving = tokio::spawn(http.run(Context::new(std::sync::Arc::new(StageCell::new()))));
    let scrape = get(address, "/metrics").await.text();
    for line in [
        "task_serve_connections{state=\"http\"} 1",
        "task_serve_connections{state=\"upgraded\"} 0",
        "task_serve_requests_in_flight 0",
        "task_serve_requests_total 2",
        "task_serve_panics_total 1",
        "task_serve_cut_total 0",
        "task_serve_starved 0",
    ] {
        assert!(scrape.lines().any(|other| other == line), "{line} is not in\n{scrape}");
    }
    serving.abort();
    assert!(server.stopped().await.is_clean());
}
