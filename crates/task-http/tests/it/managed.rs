//! Under a real manager: what the server shows from the setup to the end of the work.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use serde_json::Value;
use task_core::{Context, Outcome, Task, task_fn};
use task_http::{HttpTask, HttpTaskBuilder, Limits, http::Response, text_source};
use task_manager::{Manager, Report};
use tokio::{
    net::TcpStream,
    runtime::Handle,
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};

use crate::{
    client::{Client, get},
    service::value,
};

const SECOND: Duration = Duration::from_secs(1);

fn bind(http: HttpTaskBuilder) -> (HttpTask, SocketAddr) {
    let http = http.bind("127.0.0.1:0").unwrap();
    let address = http.local_addr().unwrap();
    (http, address)
}

fn waiting(manager: Manager) -> JoinHandle<Report> {
    tokio::spawn(async move { manager.wait().await.unwrap() })
}

/// Requirement 10.
#[tokio::test(start_paused = true)]
async fn the_probes_follow_a_service_from_setup_to_shutdown() {
    let (http, address) = bind(HttpTask::builder());
    let manager =
        Manager::builder().shutdown_timeout(20 * SECOND).drain_delay(5 * SECOND).build().unwrap();
    manager.run(http).unwrap();
    let consumer = task_fn("consumer", async |ctx: Context| {
        sleep(2 * SECOND).await;
        ctx.set_ready(true);
        ctx.cancelled().await;
        ctx.set_status("flushing");
        sleep(3 * SECOND).await;
        Ok(())
    });
    manager.run(consumer.gating_readiness()).unwrap();
    let migrate = task_fn("migrate", async |_| Ok(()));
    manager.run_ephemeral(migrate).unwrap().ended().await;
    let handle = manager.handle();

    // `wait` has not been called, so the group is still setting up.
    let probe = async |path: &str| get(address, path).await.status;
    assert_eq!(
        (probe("/livez").await, probe("/readyz").await, probe("/startupz").await),
        (200, 503, 503)
    );
    assert!(get(address, "/readyz").await.text().contains("[-]manager failed: setting up\n"));

    let ended = waiting(manager);
    sleep(SECOND).await;
    assert_eq!(probe("/readyz").await, 503);
    assert!(get(address, "/readyz").await.text().contains("[-]task/consumer failed: not ready\n"));
    sleep(2 * SECOND).await;
    assert_eq!(
        (probe("/livez").await, probe("/readyz").await, probe("/startupz").await),
        (200, 200, 200)
    );

    // Draining: the consumer works on, and is no longer ready.
    handle.stop();
    assert_eq!(
        (probe("/livez").await, probe("/readyz").await, probe("/startupz").await),
        (200, 503, 200)
    );
    let scrape = get(address, "/metrics").await;
    assert_eq!(scrape.header("connection"), Some("close"));
    assert_eq!(value(&scrape.text(), "task_manager_state{state=\"draining\"}"), Some(1.0));
    assert_eq!(value(&scrape.text(), "task_running{task=\"consumer\"}"), Some(1.0));
    let series = "task_exits_total{task=\"migrate\",outcome=\"completed\"}";
    assert_eq!(value(&scrape.text(), series), Some(1.0), "a counter outlives its task");
    let series = "task_manager_shutdown_timeout_seconds";
    assert_eq!(value(&scrape.text(), series), Some(20.0));
    let began = value(&scrape.text(), "task_manager_shutdown_start_time_seconds").unwrap();
    assert!(began > 1.6e9, "{began}");

    // Stopping: the consumer has not ended, and its status shows why.
    sleep(6 * SECOND).await;
    let tasks: Value =
        serde_json::from_slice(&get(address, "/tasks?format=json").await.body).unwrap();
    assert_eq!(tasks["step"], "stopping");
    let remaining = tasks["remaining_seconds"].as_f64().unwrap();
    assert!((13.0..15.0).contains(&remaining), "{remaining}");
    let consumer =
        tasks["tasks"].as_array().unwrap().iter().find(|task| task["name"] == "consumer").unwrap();
    assert_eq!((&consumer["state"], &consumer["status"]), (&"stopping".into(), &"flushing".into()));
    assert_eq!(probe("/livez").await, 200);

    let report = ended.await.unwrap();
    assert!(report.is_clean(), "{report}");
    TcpStream::connect(address).await.unwrap_err();
    let last = report.tasks().last().unwrap();
    assert_eq!((&*last.name, last.outcome), ("http", Outcome::Completed));
}

#[tokio::test(start_paused = true)]
async fn a_client_without_a_response_does_not_delay_the_stop() {
    let http = HttpTask::builder()
        .limits(Limits::default().check_timeout(100 * SECOND).stop_timeout(100 * SECOND))
        .check("stuck", std::future::pending);
    let (http, address) = bind(http);
    let manager =
        Manager::builder().shutdown_timeout(4 * SECOND).cleanup_timeout(SECOND).build().unwrap();
    manager.run(http).unwrap();
    manager
        .run(task_fn("work", async |ctx: Context| {
            ctx.cancelled().await;
            Ok(())
        }))
        .unwrap();
    let handle = manager.handle();
    let ended = waiting(manager);
    let mut client = Client::connect(address).await;
    client.send("GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n").await;
    sleep(SECOND).await;
    let stopped = Instant::now();
    handle.stop();
    let report = ended.await.unwrap();
    assert!(stopped.elapsed() < 4 * SECOND);
    assert!(report.is_clean(), "{report}");
    assert!(
        report.tasks().iter().any(|task| task.name == "http" && task.outcome == Outcome::Completed)
    );
    client.closed().await;
}

async fn text(manager: &Manager) -> String {
    match manager.wait().await {
        Ok(_) => String::from("ended"),
        Err(error) => format!("inside: {}", error.is_inside()),
    }
}

/// Invariant 6, for all the user code that the server runs beside the task's own future.
#[tokio::test(flavor = "multi_thread")]
async fn a_route_a_check_or_a_source_that_waits_for_its_group_is_refused() {
    let manager = Arc::new(Manager::builder().build().unwrap());
    let runtime = Handle::current();
    let [in_route, in_check, in_source] = [(); 3].map(|()| Arc::clone(&manager));
    let http = HttpTask::builder()
        .route("/wait", move |_| {
            let manager = Arc::clone(&in_route);
            async move { Ok(Response::new(text(&manager).await)) }
        })
        .check("wait", move || {
            let manager = Arc::clone(&in_check);
            async move { Err(anyhow::Error::msg(text(&manager).await)) }
        })
        .metrics(text_source(move || {
            let text = runtime.block_on(text(&in_source));
            format!("# TYPE waited gauge\nwaited{{text=\"{text}\"}} 1\n")
        }))
        .reveal_reasons();
    let (http, address) = bind(http);
    manager.run(http).unwrap();
    // Each of them would otherwise wait until its timeout, or for ever.
    let get = async |path| timeout(10 * SECOND, get(address, path)).await.unwrap().text();
    assert_eq!(get("/wait").await, "inside: true");
    assert!(get("/readyz/wait").await.contains("inside: true"));
    assert!(get("/metrics").await.contains("waited{text=\"inside: true\"} 1"));
    assert!(manager.shutdown().await.unwrap().is_clean());
}
