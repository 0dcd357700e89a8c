//! The end of the server: in order, in time, and with nothing left behind.

use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use task_http::{HttpTask, HttpTaskBuilder, Limits};
use tokio::{
    net::TcpStream,
    runtime::Handle,
    time::{Instant, sleep},
};

use crate::{client::Client, group::TestGroup, service::Service};

/// Adds a check that takes this long, within its timeout.
fn slow(seconds: u64) -> impl FnOnce(HttpTaskBuilder) -> HttpTaskBuilder {
    move |http| {
        http.limits(Limits::default().check_timeout(Duration::from_secs(100))).check(
            "slow",
            move || async move {
                sleep(Duration::from_secs(seconds)).await;
                Ok(())
            },
        )
    }
}

/// Requirement 10.
#[tokio::test]
async fn from_the_drain_on_responses_close_their_connections() {
    let service = Service::start(|http| http);
    let mut client = Client::connect(service.address).await;
    assert_eq!(client.get("/livez").await.header("connection"), None);
    service.group.drain();
    for (path, status) in [("/livez", 200), ("/readyz", 503), ("/metrics", 200), ("/tasks", 200)] {
        let mut client = Client::connect(service.address).await;
        let response = client.get(path).await;
        assert_eq!(
            (response.status, response.header("connection")),
            (status, Some("close")),
            "{path}"
        );
        client.closed().await;
    }
    // A connection that was open before serves one more request.
    let response = client.get("/livez").await;
    assert_eq!((response.status, response.header("connection")), (200, Some("close")));
    client.closed().await;
    service.stop().await;
}

/// Requirement 10.
#[tokio::test(start_paused = true)]
async fn readyz_reports_a_drain_that_began_during_its_checks() {
    let service = Service::start(slow(3));
    for path in ["/readyz", "/readyz?verbose"] {
        service.group.change(|snapshot| *snapshot = Default::default());
        let mut client = Client::connect(service.address).await;
        client.send(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")).await;
        sleep(Duration::from_secs(1)).await;
        service.group.drain();
        let response = client.response(true).await;
        assert_eq!(
            (response.status, response.header("connection")),
            (503, Some("close")),
            "{path}"
        );
        assert!(response.text().starts_with("[-]manager failed: shutting down (draining)\n"));
        // Until the result of the check is no longer fresh.
        sleep(Duration::from_secs(2)).await;
    }
    service.stop().await;
}

/// Requirement 10.
#[tokio::test(start_paused = true)]
async fn a_stop_refuses_new_clients_and_lets_responses_end() {
    let service = Service::start(slow(3));
    let mut silent = Client::connect(service.address).await;
    let mut half = Client::connect(service.address).await;
    half.send("GET /li").await;
    let mut idle = Client::connect(service.address).await;
    idle.get("/livez").await;
    let mut busy = Client::connect(service.address).await;
    busy.send("GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n").await;
    sleep(Duration::from_secs(1)).await;

    let cancelled = Instant::now();
    service.group.cancel(Duration::from_secs(20));
    for client in [&mut silent, &mut half, &mut idle] {
        client.closed().await;
    }
    assert!(cancelled.elapsed() < Duration::from_millis(50), "{:?}", cancelled.elapsed());
    TcpStream::connect(service.address).await.unwrap_err();

    let response = busy.response(true).await;
    assert_eq!((response.status, response.header("connection")), (200, Some("close")));
    busy.closed().await;
    service.ended.await.unwrap().unwrap();
    assert_eq!(cancelled.elapsed().as_secs(), 2);
}

/// Requirement 11.
#[tokio::test(start_paused = true)]
async fn a_response_in_progress_is_dropped_at_the_stop_timeout() {
    let service = Service::start(slow(60));
    let mut busy = Client::connect(service.address).await;
    busy.send("GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n").await;
    sleep(Duration::from_secs(1)).await;
    let cancelled = Instant::now();
    service.group.cancel(Duration::from_secs(20));
    service.ended.await.unwrap().unwrap();
    assert_eq!(cancelled.elapsed().as_secs(), 5);
    busy.closed().await;
}

/// Requirement 11.
#[tokio::test(start_paused = true)]
async fn the_task_ends_before_the_shutdown_would_abort_it() {
    for millis in [0, 1, 50, 300, 2000] {
        let service = Service::start(slow(60));
        let mut busy = Client::connect(service.address).await;
        busy.send("GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n").await;
        sleep(Duration::from_secs(1)).await;
        let cancelled = Instant::now();
        service.group.cancel(Duration::from_millis(millis));
        service.ended.await.unwrap().unwrap();
        // Timers have a resolution of one millisecond.
        let most = Duration::from_millis(millis.max(1) + 1);
        assert!(cancelled.elapsed() <= most, "{millis}: {:?}", cancelled.elapsed());
    }
}

/// Requirement 11.
#[tokio::test(start_paused = true)]
async fn no_task_is_left_when_the_server_has_ended() {
    struct SetOnDrop(Arc<AtomicBool>);
    impl Drop for SetOnDrop {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
    let is_dropped = Arc::new(AtomicBool::new(false));
    let service = Service::start({
        let is_dropped = Arc::clone(&is_dropped);
        move |http| {
            http.limits(Limits::default().check_timeout(Duration::from_secs(1000))).check(
                "stuck",
                move || {
                    let guard = SetOnDrop(Arc::clone(&is_dropped));
                    async move {
                        let _guard = guard;
                        pending().await
                    }
                },
            )
        }
    });
    let before = Handle::current().metrics().num_alive_tasks();
    let mut clients = Vec::new();
    for _ in 0..10 {
        let mut client = Client::connect(service.address).await;
        client.send("GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n").await;
        clients.push(client);
    }
    sleep(Duration::from_secs(1)).await;
    assert_eq!(Handle::current().metrics().num_alive_tasks(), before + 11);
    service.stop().await;
    // The runtime drops the aborted task when it polls it next.
    tokio::task::yield_now().await;
    assert!(is_dropped.load(Ordering::SeqCst));
    assert_eq!(Handle::current().metrics().num_alive_tasks(), before - 1);
}

#[tokio::test]
async fn a_task_cancelled_before_its_run_ends_at_once() {
    let group = TestGroup::new();
    group.cancel(Duration::from_secs(10));
    let http = HttpTask::bind("127.0.0.1:0").unwrap();
    let service = Service::run(http, group);
    service.ended.await.unwrap().unwrap();
    TcpStream::connect(service.address).await.unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn dropping_the_future_closes_all_connections() {
    let service = Service::start(slow(60));
    let mut busy = Client::connect(service.address).await;
    busy.send("GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n").await;
    sleep(Duration::from_secs(1)).await;
    service.ended.abort();
    assert!(service.ended.await.unwrap_err().is_cancelled());
    busy.closed().await;
    TcpStream::connect(service.address).await.unwrap_err();
    tokio::task::yield_now().await;
    assert_eq!(Handle::current().metrics().num_alive_tasks(), 0);
}
