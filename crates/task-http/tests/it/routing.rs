//! Paths, methods, and the header fields of every response.

use task_http::{Endpoint, HttpTask, HttpTaskBuilder};

use crate::{client::Client, service::Service};

const PATHS: [&str; 7] = ["/", "/metrics", "/livez", "/healthz", "/readyz", "/startupz", "/tasks"];

#[tokio::test]
async fn every_endpoint_responds_to_get_and_forbids_storing_and_sniffing() {
    let service = Service::start(|http| http);
    for path in PATHS {
        let response = service.get(path).await;
        assert_eq!(response.status, 200, "{path}");
        assert_eq!(response.header("cache-control"), Some("no-store"), "{path}");
        assert_eq!(response.header("x-content-type-options"), Some("nosniff"), "{path}");
    }
    service.stop().await;
}

/// Requirement 2.
#[tokio::test]
async fn head_has_the_headers_of_get_and_no_body() {
    // Without the families that change from one request to the next.
    let service = Service::start(|http| {
        http.without_process_metrics().without_runtime_metrics().without_server_metrics()
    });
    for path in PATHS {
        let mut client = Client::connect(service.address).await;
        let mut get = client.request("GET", path, &[]).await;
        let mut head = client.request("HEAD", path, &[]).await;
        get.headers.retain(|(name, _)| name != "date");
        head.headers.retain(|(name, _)| name != "date");
        assert_eq!((get.status, &get.headers), (head.status, &head.headers), "{path}");
        // The next response is read correctly, so there was no body.
        assert_eq!(client.get("/livez").await.text(), "ok\n");
    }
    service.stop().await;
}

/// Requirement 2.
#[tokio::test]
async fn other_methods_are_refused_with_the_allowed_ones() {
    let service = Service::start(|http| http);
    let mut client = Client::connect(service.address).await;
    for method in ["POST", "PUT", "DELETE", "PATCH", "BREW"] {
        let response = client.request(method, "/metrics", &[]).await;
        assert_eq!(
            (response.status, response.header("allow")),
            (405, Some("GET, HEAD")),
            "{method}"
        );
    }
    let response = client.request("OPTIONS", "/metrics", &[]).await;
    assert_eq!((response.status, response.header("allow")), (204, Some("GET, HEAD")));
    let response = client.request("POST", "/readyz", &[]).await;
    assert_eq!((response.status, response.header("allow")), (405, Some("GET, HEAD")));
    service.stop().await;
}

/// Requirement 2.
#[tokio::test]
async fn an_unknown_path_is_not_found_with_any_method() {
    let service = Service::start(|http| http);
    let mut client = Client::connect(service.address).await;
    for path in ["/nothing", "/metrics/x", "/metricsx", "/tasks/1", "//metrics", "/readyzz", "*"] {
        assert_eq!(client.get(path).await.status, 404, "{path}");
    }
    assert_eq!(client.request("POST", "/nothing", &[]).await.status, 404);
    service.stop().await;
}

#[tokio::test]
async fn a_slash_at_the_end_makes_no_difference() {
    let service = Service::start(|http| http);
    for path in ["/metrics/", "/livez//", "/tasks/?format=json"] {
        assert_eq!(service.get(path).await.status, 200, "{path}");
    }
    service.stop().await;
}

#[tokio::test]
async fn the_body_of_a_request_to_an_endpoint_is_ignored() {
    let service = Service::start(|http| http);
    let mut client = Client::connect(service.address).await;
    client.send("GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello").await;
    assert_eq!(client.response(true).await.status, 200);
    // A body that never arrives does not delay the response.
    let mut client = Client::connect(service.address).await;
    client.send("POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n").await;
    assert_eq!(client.response(true).await.status, 405);
    service.stop().await;
}

#[tokio::test]
async fn pipelined_requests_get_their_responses_in_order() {
    let service = Service::start(|http| http);
    let mut client = Client::connect(service.address).await;
    let request = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
    client.send(request("/livez") + &request("/nothing") + &request("/livez")).await;
    for status in [200, 404, 200] {
        assert_eq!(client.response(true).await.status, status);
    }
    service.stop().await;
}

#[tokio::test]
async fn the_list_of_endpoints_names_every_path() {
    let service = Service::start(|http| http);
    let list = service.get("/").await.text();
    for path in PATHS {
        assert!(list.lines().any(|line| line.starts_with(&format!("{path} "))), "{path} in {list}");
    }
    service.stop().await;
}

#[tokio::test]
async fn endpoints_can_be_moved_and_get_further_paths() {
    let service = Service::start(|http| {
        http.path(Endpoint::Metrics, "/internal/metrics/").also_path(Endpoint::Readyz, "/ready")
    });
    for (path, status) in [
        ("/internal/metrics", 200),
        ("/metrics", 404),
        ("/ready", 200),
        ("/readyz", 200),
        ("/ready/manager", 200),
    ] {
        assert_eq!(service.get(path).await.status, status, "{path}");
    }
    service.stop().await;
}

#[test]
fn a_path_that_is_taken_or_malformed_is_an_error() {
    let error = |http: HttpTaskBuilder| http.bind("127.0.0.1:0").unwrap_err();
    let taken = error(HttpTask::builder().path(Endpoint::Metrics, "/livez/"));
    assert!(taken.is_path_taken());
    assert_eq!(taken.to_string(), "path `/livez` already belongs to livez");
    for path in ["", "metrics", "/me trics", "/metrics?all", "/m\u{e4}"] {
        let error = error(HttpTask::builder().also_path(Endpoint::Metrics, path));
        assert!(!error.is_path_taken(), "{path}: {error}");
    }
}
