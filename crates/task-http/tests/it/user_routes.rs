//! User routes: closures.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use task_http::{
    Endpoint, HttpError, HttpTask, HttpTaskBuilder, Limits,
    http::{Method, Response},
};
use tokio::{
    sync::Semaphore,
    time::{Instant, sleep},
};
use tracing::{Event, Metadata, Subscriber, span};

use crate::{
    client::Client,
    service::{Service, value},
};

#[tokio::test]
async fn a_route_responds_with_what_its_handler_returns() {
    let service = Service::start(|http| {
        http.route("/version/", async |_| Ok(Response::new("1.2.3\n"))).route(
            "/level",
            async |request| {
                let body = String::from_utf8_lossy(request.body()).into_owned();
                let response = Response::builder().status(202).header("x-was", "info");
                Ok(response.body(format!("{} {body}", request.method()))?)
            },
        )
    });
    let mut client = Client::connect(service.address).await;
    assert_eq!(client.get("/version?x").await.text(), "1.2.3\n");
    let head = client.request("HEAD", "/version", &[]).await;
    assert_eq!((head.status, head.header("content-length")), (200, Some("6")));
    client.send("PUT /level HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\ndebug").await;
    let response = client.response(true).await;
    assert_eq!((response.status, response.header("x-was")), (202, Some("info")));
    assert_eq!(response.text(), "PUT debug");
    assert_eq!(client.get("/version/below").await.status, 404);
    assert!(service.get("/").await.text().contains("/level "));
    let scrape = service.get("/metrics").await.text();
    let series = "task_http_requests_total{route=\"/version\",code=\"200\"}";
    assert_eq!(value(&scrape, series), Some(2.0));
    service.stop().await;
}

/// Enables all log events, so that their fields are formatted.
struct Log;

impl Subscriber for Log {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, _: &Event<'_>) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

#[tokio::test]
async fn a_handler_that_fails_or_panics_gets_500_without_details() {
    let _log = tracing::subscriber::set_default(Log);
    let service = Service::start(|http| {
        http.route("/fails", async |_| {
            anyhow::ensure!(false, "the password is wrong");
            Ok(Response::new(""))
        })
        .route("/unspeakable", async |_| {
            struct Unspeakable;
            impl fmt::Debug for Unspeakable {
                fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
                    panic!("the password is wrong")
                }
            }
            impl fmt::Display for Unspeakable {
                fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
                    panic!("the password is wrong")
                }
            }
            let failed = Err(anyhow::Error::msg(Unspeakable));
            failed.map(|()| Response::new(""))
        })
        .route("/panics", async |request| match *request.method() {
            Method::GET => panic!("the password is wrong"),
            _ => Ok(Response::new("")),
        })
    });
    let mut client = Client::connect(service.address).await;
    for path in ["/fails", "/unspeakable", "/panics", "/panics"] {
        let response = client.get(path).await;
        assert_eq!(
            (response.status, response.text().as_str()),
            (500, "the route failed\n"),
            "{path}"
        );
    }
    service.stop().await;
}

/// Requirement 8.
#[tokio::test]
async fn a_body_that_is_too_large_or_incomplete_is_refused() {
    let service = Service::start(|http| {
        let limits = Limits::default().body_bytes(10).response_timeout(Duration::from_millis(200));
        http.limits(limits).route("/echo", async |request| Ok(Response::new(request.into_body())))
    });
    let post = |length: usize| {
        format!("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n")
    };
    let mut client = Client::connect(service.address).await;
    client.send(post(10) + "0123456789").await;
    assert_eq!(client.response(true).await.text(), "0123456789");
    client.send(post(11)).await;
    assert_eq!(client.response(true).await.status, 413);

    let mut client = Client::connect(service.address).await;
    let chunks = "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n012345\r\n5\r\n67890\r\n0\r\n\r\n";
    client.send(chunks).await;
    assert_eq!(client.response(true).await.status, 413);

    let mut client = Client::connect(service.address).await;
    client.send(post(10) + "012").await;
    client.closed().await;
    service.stop().await;
}

#[tokio::test]
async fn routes_count_as_scrapes_and_do_not_affect_probes() {
    let gate = Arc::new(Semaphore::new(0));
    let opened = Arc::clone(&gate);
    let service = Service::start(|http| {
        http.limits(Limits::default().scrapes(2)).route("/waits", move |_| {
            let gate = Arc::clone(&gate);
            async move {
                drop(gate.acquire().await);
                Ok(Response::new("done"))
            }
        })
    });
    let mut waiting = Vec::new();
    for _ in 0..2 {
        let mut client = Client::connect(service.address).await;
        client.send("GET /waits HTTP/1.1\r\nHost: x\r\n\r\n").await;
        waiting.push(client);
    }
    // Until both requests are in the handler.
    while service.get("/metrics").await.status != 503 {}
    assert_eq!(service.get("/waits").await.status, 503);
    assert_eq!(service.get("/readyz").await.status, 200);
    opened.add_permits(2);
    for client in &mut waiting {
        assert_eq!(client.response(true).await.text(), "done");
    }
    service.stop().await;
}

/// Requirement 8.
#[tokio::test(start_paused = true)]
async fn clients_that_do_not_send_their_bodies_block_neither_scrapes_nor_probes() {
    let service = Service::start(|http| {
        http.limits(Limits::default().connections(4).scrapes(1))
            .route("/echo", async |request| Ok(Response::new(request.into_body())))
    });
    let head = "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n";
    let mut slow = Vec::new();
    for _ in 0..3 {
        let mut client = Client::connect(service.address).await;
        client.send(head).await;
        slow.push(client);
    }
    assert_eq!(service.get("/metrics").await.status, 200);
    let mut last = Client::connect(service.address).await;
    last.send(head).await;
    sleep(Duration::from_millis(100)).await;
    let asked = Instant::now();
    assert_eq!(service.get("/readyz").await.status, 200);
    assert!((800..1200).contains(&asked.elapsed().as_millis()), "{:?}", asked.elapsed());
    // The first was evicted; the others may still send their bodies.
    assert!(!slow.remove(0).is_open().await);
    for client in slow.iter_mut().chain([&mut last]) {
        client.send("ok").await;
        assert_eq!(client.response(true).await.text(), "ok");
    }
    service.stop().await;
}

/// Requirement 8.
#[tokio::test(start_paused = true)]
async fn a_client_that_sends_its_body_in_drips_is_evicted_only_if_no_other_can_be() {
    let service = Service::start(|http| {
        http.limits(Limits::default().connections(2))
            .route("/echo", async |request| Ok(Response::new(request.into_body())))
    });
    let head = "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n";
    let mut drips = Client::connect(service.address).await;
    drips.send(head).await;
    let mut other = Client::connect(service.address).await;
    other.send(head).await;
    for other_drips in [false, true] {
        for _ in 0..5 {
            sleep(Duration::from_millis(400)).await;
            drips.send("x").await;
            if other_drips {
                other.send("x").await;
            }
        }
        let asked = Instant::now();
        assert_eq!(service.get("/readyz").await.status, 200);
        assert!(asked.elapsed() < Duration::from_millis(200), "{:?}", asked.elapsed());
        assert_eq!(drips.is_open().await, !other_drips);
        assert_eq!(other.is_open().await, other_drips);
        if !other_drips {
            other = Client::connect(service.address).await;
            other.send(head).await;
        }
    }
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_never_ends_is_dropped_at_the_stop_timeout() {
    struct SetOnDrop(Arc<AtomicBool>);
    impl Drop for SetOnDrop {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
    let gone = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&gone);
    let service = Service::start(|http| {
        http.route("/never", move |_| {
            let guard = SetOnDrop(Arc::clone(&gone));
            async move {
                let _guard = guard;
                std::future::pending::<()>().await;
                Ok(Response::new(""))
            }
        })
    });
    let mut client = Client::connect(service.address).await;
    client.send("GET /never HTTP/1.1\r\nHost: x\r\n\r\n").await;
    sleep(Duration::from_secs(1)).await;
    service.stop().await;
    client.closed().await;
    assert!(seen.load(Ordering::SeqCst));
}

/// Builds, and returns the error.
fn error(http: HttpTaskBuilder) -> HttpError {
    http.bind("127.0.0.1:0").unwrap_err()
}

#[test]
fn a_path_belongs_to_one_endpoint_or_route() {
    let http = HttpTask::builder;
    let handler = async |_| Ok(Response::new(""));
    assert!(error(http().route("/metrics/", handler)).is_path_taken());
    let twice = error(http().route("/a", handler).route("/a/", handler));
    assert_eq!(twice.to_string(), "path `/a` already belongs to another route");
    assert!(error(http().route("/a", handler).path(Endpoint::Metrics, "/a")).is_path_taken());
    assert!(!error(http().route("a b", handler)).is_path_taken());
}

#[test]
fn the_first_fault_of_the_paths_is_reported() {
    let handler = async |_| Ok(Response::new(""));
    let http = HttpTask::builder().route("/metrics", handler).route("no path", handler);
    assert!(error(http.path(Endpoint::Readyz, "/tasks")).to_string().contains("`/metrics`"));
}

#[test]
fn a_path_below_a_probe_belongs_to_the_probe() {
    let http = HttpTask::builder;
    let handler = async |_| Ok(Response::new(""));
    let below = error(http().route("/healthz/db", handler));
    assert_eq!(below.to_string(), "path `/healthz/db` already belongs to livez");
    assert!(error(http().route("/readyz/deep/er/", handler)).is_path_taken());
    #[cfg(feature = "tower")]
    assert!(error(http().service("/startupz/x", crate::services::Echo("x"))).is_path_taken());
    // A probe cannot be moved above a route, either.
    let own = || http().route("/app/ready", handler);
    let above = error(own().path(Endpoint::Readyz, "/app"));
    assert_eq!(above.to_string(), "path `/app/ready` already belongs to another route");
    assert!(error(own().also_path(Endpoint::Livez, "/app/")).is_path_taken());
    // Paths beside a probe, below other endpoints, or below the old path of a probe are free.
    let http = own().path(Endpoint::Metrics, "/app");
    let http = http.route("/metrics/own", handler).route("/livezz", handler);
    let http = http.path(Endpoint::Livez, "/alive");
    drop(http.route("/healthz/db", handler).bind("127.0.0.1:0").unwrap());
}
