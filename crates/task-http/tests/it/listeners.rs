//! Endpoints by listener: each serves its own, and the rest is not found there.

use std::net::SocketAddr;

use task_http::{
    Access, BoundAddress, Endpoint, HttpListener, HttpTask, HttpTaskBuilder, ListenOptions,
    http::Response,
};

use crate::{
    client::{Client, get, get_with},
    group::TestGroup,
    service::{Service, value},
};

const PATHS: [&str; 8] =
    ["/", "/metrics", "/livez", "/healthz", "/readyz", "/startupz", "/tasks", "/route"];

fn bound() -> (HttpListener, SocketAddr) {
    let listener = ListenOptions::default().bind("127.0.0.1:0").unwrap();
    let BoundAddress::Tcp(address) = *listener.address() else { panic!("not TCP") };
    (listener.into(), address)
}

fn with_route() -> HttpTaskBuilder {
    HttpTask::builder().route("/route", async |_| Ok(Response::new("here")))
}

/// Returns the paths that an address serves; the others have to be 404.
async fn found(address: SocketAddr) -> Vec<&'static str> {
    let mut found = Vec::new();
    for path in PATHS {
        match get(address, path).await.status {
            200 => found.push(path),
            status => assert_eq!(status, 404, "{path}"),
        }
    }
    found
}

/// Requirement 18.
#[tokio::test]
async fn each_listener_serves_its_own_endpoints_and_the_rest_is_not_found() {
    let [(probes, of_probes), (metrics, of_metrics), (public, of_public), (all, of_all)] =
        std::array::from_fn(|_| bound());
    let http = with_route()
        .listener(probes.only(Endpoint::PROBES))
        .listener(metrics.only([Endpoint::Metrics]).without([Endpoint::Index]))
        .listener(public.without([Endpoint::Index, Endpoint::Metrics, Endpoint::Tasks]))
        .listener(all)
        .build()
        .unwrap();
    let service = Service::run(http, TestGroup::new());
    assert_eq!(found(of_probes).await, ["/livez", "/healthz", "/readyz", "/startupz"]);
    assert_eq!(get(of_probes, "/readyz/manager").await.status, 200);
    assert_eq!(found(of_metrics).await, ["/metrics"]);
    assert_eq!(get(of_metrics, "/readyz/manager").await.status, 404);
    let public = ["/livez", "/healthz", "/readyz", "/startupz", "/route"];
    assert_eq!(found(of_public).await, public);
    assert_eq!(found(of_all).await, PATHS);
    // One connection belongs to one listener, for all of its requests.
    let mut client = Client::connect(of_metrics).await;
    for (path, status) in [("/metrics", 200), ("/livez", 404), ("/metrics", 200)] {
        assert_eq!(client.get(path).await.status, status, "{path}");
    }
    let scrape = client.get("/metrics").await.text();
    let not_found = value(&scrape, "task_http_requests_total{route=\"other\",code=\"404\"}");
    // 4 and 7 and 3 paths, and two of a kind on `of_metrics`.
    assert_eq!(not_found, Some(4.0 + 7.0 + 3.0 + 2.0));
    service.stop().await;
}

#[tokio::test]
async fn the_list_of_paths_has_what_the_listener_serves() {
    let (listener, address) = bound();
    let listener = listener.only([Endpoint::Index, Endpoint::Livez]);
    let service = Service::run(with_route().listener(listener).build().unwrap(), TestGroup::new());
    let list = get(address, "/").await.text();
    let paths: Vec<&str> = list.lines().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(paths, ["/", "/livez", "/healthz"]);
    service.stop().await;
}

/// A client without credentials does not learn what is there.
#[tokio::test]
async fn what_is_not_served_takes_the_same_credentials_as_what_is_not_there() {
    let (listener, address) = bound();
    let http = with_route().access(Access::default().bearer("s3cret"));
    let http = http.listener(listener.only(Endpoint::PROBES)).build().unwrap();
    let service = Service::run(http, TestGroup::new());
    for path in ["/metrics", "/nowhere"] {
        assert_eq!(get(address, path).await.status, 401, "{path}");
        let headers = [("Authorization", "Bearer s3cret")];
        assert_eq!(get_with(address, path, &headers).await.status, 404, "{path}");
    }
    assert_eq!(get(address, "/livez").await.status, 200);
    service.stop().await;
}

#[test]
fn a_listener_that_serves_nothing_is_an_error() {
    let (listener, address) = bound();
    let error = HttpTask::builder().listener(listener.only([])).build().unwrap_err();
    assert_eq!(error.to_string(), format!("the listener on {address} serves nothing"));
}
