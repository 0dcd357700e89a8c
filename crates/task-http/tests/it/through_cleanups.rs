//! A server that goes on while the cleanups run.

use std::{future::pending, net::SocketAddr, time::Duration};

use http::Response;
use serde_json::Value;
use task_core::{Context, Outcome, Phase, Step, Task, task_fn};
use task_http::{HttpStop, HttpTask, HttpTaskBuilder, Limits};
use task_manager::{Manager, Report, ShutdownError};
use tokio::{
    net::TcpStream,
    runtime::Handle,
    task::JoinHandle,
    time::{Instant, sleep},
};

use crate::{
    client::{Client, get},
    group::TestGroup,
    service::{Service, value},
};

const SECOND: Duration = Duration::from_secs(1);

fn bind(http: HttpTaskBuilder) -> (HttpTask, HttpStop, SocketAddr) {
    let http = http.bind("127.0.0.1:0").unwrap();
    let address = http.local_addr().unwrap();
    let (http, stop) = http.through_cleanups();
    (http, stop, address)
}

fn manager() -> Manager {
    Manager::builder().shutdown_timeout(60 * SECOND).build().unwrap()
}

fn stopping(manager: Manager) -> JoinHandle<Result<Report, ShutdownError>> {
    tokio::spawn(async move { manager.shutdown().await })
}

async fn json(address: SocketAddr) -> Value {
    serde_json::from_slice(&get(address, "/tasks?format=json").await.body).unwrap()
}

/// Requirement 10.
#[tokio::test(start_paused = true)]
async fn while_a_cleanup_runs_every_endpoint_responds_and_the_server_ends_last() {
    let manager = manager();
    let (http, stop, address) = bind(HttpTask::builder());
    manager.cleanup_with("http", |ctx| stop.run(ctx)).unwrap();
    manager.run(http).unwrap();
    manager.run_ephemeral(task_fn("job", async |_| Ok(()))).unwrap();
    manager
        .cleanup("database", async || {
            sleep(10 * SECOND).await;
            Ok(())
        })
        .unwrap();
    sleep(SECOND).await;
    let ended = stopping(manager);
    for second in 1..=9 {
        sleep(SECOND).await;
        assert_eq!(get(address, "/livez").await.status, 200);
        let ready = get(address, "/readyz").await;
        assert_eq!(ready.status, 503);
        assert!(ready.text().contains("shutting down (cleaning up)"), "{}", ready.text());
        let scrape = get(address, "/metrics").await.text();
        assert_eq!(value(&scrape, "task_manager_state{state=\"cleanup\"}"), Some(1.0));
        let took = value(&scrape, "task_cleanup_duration_seconds{cleanup=\"database\"}").unwrap();
        assert!((f64::from(second) - took).abs() < 0.5, "{second} {took}");
        let tasks = json(address).await;
        assert_eq!(tasks["cleanups"][0]["state"], "running", "{tasks}");
        assert!(tasks["cleanups"][0]["remaining_seconds"].as_f64().unwrap() > 1.0, "{tasks}");
        assert_eq!(get(address, "/tasks").await.status, 200);
    }
    let report = ended.await.unwrap().unwrap();
    let cleanups: Vec<_> = report.cleanups().iter().map(|cleanup| &*cleanup.name).collect();
    assert_eq!(cleanups, ["database", "http"]);
    TcpStream::connect(address).await.unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn the_task_leaves_its_time_to_others_and_the_cleanup_lets_responses_end() {
    let manager = manager();
    let http = HttpTask::builder().route("/slow", async |_| {
        sleep(4 * SECOND).await;
        Ok(Response::new("done"))
    });
    let (http, stop, address) = bind(http);
    manager.cleanup_with("http", |ctx| stop.run(ctx)).unwrap();
    manager.run(http).unwrap();
    sleep(SECOND).await;
    let mut client = Client::connect(address).await;
    client.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").await;
    sleep(SECOND).await;
    let begun = Instant::now();
    let ended = stopping(manager);
    assert_eq!(client.response(true).await.text(), "done");
    let report = ended.await.unwrap().unwrap();
    assert_eq!(begun.elapsed().as_secs(), 3);
    assert!(report.tasks()[0].stop_took.unwrap() < SECOND / 10, "{report}");
}

#[tokio::test(start_paused = true)]
async fn the_cleanup_is_bounded_and_names_what_it_cuts() {
    for (phase, is_clean) in [(Phase::SUPPORT, true), (Phase::INGRESS, false)] {
        let manager = manager();
        let http = HttpTask::builder()
            .route("/stuck", |_| pending::<anyhow::Result<Response<&str>>>())
            .limits(Limits::default().stop_timeout(2 * SECOND).response_timeout(100 * SECOND));
        let (http, stop, address) = bind(http);
        manager.cleanup_with("http", |ctx| stop.run(ctx)).unwrap();
        manager.run(http.in_phase(phase)).unwrap();
        let mut client = Client::connect(address).await;
        client.send("GET /stuck HTTP/1.1\r\nHost: x\r\n\r\n").await;
        sleep(SECOND).await;
        let begun = Instant::now();
        let result = stopping(manager).await.unwrap();
        assert_eq!(begun.elapsed().as_secs(), 2);
        client.closed().await;
        assert_eq!(result.is_ok(), is_clean);
        if let Err(error) = result {
            let text = error.report().unwrap().failures()[0].to_string();
            let cut = "cleanup `http` failed: 1 response cut at the stop: GET /stuck after 3.0 s";
            assert!(text.contains(cut), "{text}");
        }
    }
}

/// Requirement 11.
#[tokio::test(start_paused = true)]
async fn with_little_time_left_the_cleanup_ends_before_it_would_be_aborted() {
    let manager =
        Manager::builder().shutdown_timeout(10 * SECOND).cleanup_timeout(SECOND).build().unwrap();
    let http = HttpTask::builder()
        .route("/stuck", |_| pending::<anyhow::Result<Response<&str>>>())
        .limits(Limits::default().stop_timeout(100 * SECOND).response_timeout(100 * SECOND));
    let (http, stop, address) = bind(http);
    manager.cleanup_with("http", |ctx| stop.run(ctx)).unwrap();
    manager.run(http).unwrap();
    let mut client = Client::connect(address).await;
    client.send("GET /stuck HTTP/1.1\r\nHost: x\r\n\r\n").await;
    sleep(SECOND).await;
    let report = stopping(manager).await.unwrap().unwrap();
    assert_eq!(report.cleanups()[0].outcome, Some(Outcome::Completed));
    client.closed().await;
}

#[tokio::test(start_paused = true)]
async fn without_its_stop_the_server_ends_with_its_task() {
    let (http, stop, address) = bind(HttpTask::builder());
    drop(stop);
    let manager = manager();
    manager.run(http).unwrap();
    manager
        .cleanup("slow", async || {
            sleep(5 * SECOND).await;
            Ok(())
        })
        .unwrap();
    sleep(SECOND).await;
    assert_eq!(get(address, "/livez").await.status, 200);
    let group = manager.group();
    let ended = stopping(manager);
    sleep(SECOND).await;
    assert_eq!(group.step(), Step::CleaningUp);
    TcpStream::connect(address).await.unwrap_err();
    assert!(ended.await.unwrap().unwrap().is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_stop_of_a_task_that_never_ran_returns_at_once() {
    let (http, stop, address) = bind(HttpTask::builder());
    let manager = manager();
    manager.cleanup_with("http", |ctx| stop.run(ctx)).unwrap();
    drop(http);
    assert!(manager.shutdown().await.unwrap().is_clean());
    TcpStream::connect(address).await.unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn a_server_whose_cleanup_is_dropped_is_aborted() {
    let (http, stop, _) = bind(HttpTask::builder());
    let group = TestGroup::new();
    let before = Handle::current().metrics().num_alive_tasks();
    let service = Service::run(http, group);
    let address = service.address;
    assert_eq!(service.get("/livez").await.status, 200);
    service.group.cancel(10 * SECOND);
    service.ended.await.unwrap().unwrap();
    assert_eq!(get(address, "/livez").await.status, 200, "the stop has the server");
    drop(stop);
    while Handle::current().metrics().num_alive_tasks() > before {
        sleep(SECOND / 100).await;
    }
    TcpStream::connect(address).await.unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn a_task_that_is_aborted_takes_its_server_with_it() {
    let (http, stop, address) = bind(HttpTask::builder());
    let service = Service::run(http, TestGroup::new());
    assert_eq!(service.get("/livez").await.status, 200);
    service.ended.abort();
    assert!(service.ended.await.unwrap_err().is_cancelled());
    sleep(SECOND / 100).await;
    TcpStream::connect(address).await.unwrap_err();
    let ctx = Context::new(TestGroup::new());
    stop.run(ctx).await.unwrap();
}
