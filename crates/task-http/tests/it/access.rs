//! Access control: tokens, passwords, networks, and the open endpoints.

use std::{fs, path::PathBuf, time::Duration};

use task_http::{Access, Endpoint, HttpTask, Limits};
use tokio::time::sleep;

use crate::{
    client::{HttpResponse, get_with},
    service::{Service, value},
};

/// `ann:open sesame`.
const ANN: &str = "Basic YW5uOm9wZW4gc2VzYW1l";

fn guarded(access: Access) -> Service {
    Service::start(|http| http.access(access))
}

async fn with(service: &Service, target: &str, authorization: &str) -> HttpResponse {
    get_with(service.address, target, &[("Authorization", authorization)]).await
}

/// Writes a file for one test.
fn file(name: &str, content: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("task-http-{name}-{}", std::process::id()));
    fs::write(&path, content).unwrap();
    path
}

#[tokio::test]
async fn all_paths_but_the_probes_require_the_token() {
    let service = guarded(Access::default().bearer("s3cret"));
    for path in ["/", "/metrics", "/tasks", "/nothing"] {
        let response = service.get(path).await;
        assert_eq!(response.status, 401, "{path}");
        assert_eq!(response.header("www-authenticate"), Some("Bearer realm=\"task\""), "{path}");
        assert_eq!(response.text(), "unauthorized\n");
    }
    for path in ["/livez", "/healthz", "/readyz", "/readyz/manager", "/startupz"] {
        assert_eq!(service.get(path).await.status, 200, "{path}");
    }
    for (path, status) in [("/", 200), ("/metrics", 200), ("/tasks", 200), ("/nothing", 404)] {
        assert_eq!(with(&service, path, "Bearer s3cret").await.status, status, "{path}");
    }
    service.stop().await;
}

#[tokio::test]
async fn only_the_exact_secret_in_the_right_scheme_is_accepted() {
    let access = Access::default().bearer("s3cret").basic("ann", "open sesame");
    let service = guarded(access);
    for good in ["Bearer s3cret", "bearer  s3cret", ANN, &ANN.replace("Basic", "BASIC")] {
        assert_eq!(with(&service, "/metrics", good).await.status, 200, "{good}");
    }
    for bad in [
        "",
        "s3cret",
        "Bearer",
        "Bearer ",
        "Bearer s3cre",
        "Bearer s3crets",
        "Bearer S3CRET",
        "Basic s3cret",
        "Basic YW5uOnMzY3JldA==",
        "Basic YW5u",
        "Basic !",
        "Digest s3cret",
        "Bearer s3cret, Bearer s3cret",
    ] {
        let response = with(&service, "/metrics", bad).await;
        assert_eq!(response.status, 401, "{bad}");
        let challenges: Vec<_> =
            response.headers.iter().filter(|(name, _)| name == "www-authenticate").collect();
        assert_eq!(challenges.len(), 2, "{bad}");
    }
    // With padding, and without.
    let short = guarded(Access::default().basic("a", "bc"));
    for encoded in ["Basic YTpiYw==", "Basic YTpiYw"] {
        assert_eq!(with(&short, "/metrics", encoded).await.status, 200, "{encoded}");
    }
    service.stop().await;
    short.stop().await;
}

#[tokio::test]
async fn the_open_endpoints_can_be_changed() {
    let access = Access::default().bearer("s3cret").open([Endpoint::Metrics]);
    let service = guarded(access);
    assert_eq!(service.get("/metrics").await.status, 200);
    assert_eq!(service.get("/livez").await.status, 401);
    let refused = service.get("/metrics").await.text();
    assert_eq!(
        value(&refused, "task_http_requests_total{route=\"livez\",code=\"401\"}"),
        Some(1.0)
    );
    service.stop().await;
}

#[tokio::test]
async fn a_client_outside_the_networks_is_forbidden_despite_a_valid_token() {
    let elsewhere = Access::default().network("192.0.2.0/24").bearer("s3cret");
    let service = guarded(elsewhere);
    assert_eq!(with(&service, "/metrics", "Bearer s3cret").await.status, 403);
    assert_eq!(service.get("/readyz").await.status, 200);
    service.stop().await;

    let inside = || Access::default().network("192.0.2.7").network("127.0.0.0/8");
    let service = guarded(inside());
    assert_eq!(service.get("/metrics").await.status, 200);
    service.stop().await;
    let service = guarded(inside().bearer("s3cret"));
    assert_eq!(service.get("/metrics").await.status, 401, "both are required");
    service.stop().await;
}

#[tokio::test]
async fn an_ipv4_client_of_an_ipv6_listener_counts_as_ipv4() {
    let inside = Access::default().network("127.0.0.1");
    let http = HttpTask::builder().access(inside).bind("[::]:0").unwrap();
    let port = http.local_addr().unwrap().port();
    let service = Service::run(http, crate::group::TestGroup::new());
    assert_eq!(crate::client::get(([127, 0, 0, 1], port).into(), "/metrics").await.status, 200);
    let six = std::net::SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, port));
    assert_eq!(crate::client::get(six, "/metrics").await.status, 403);
    service.stop().await;
}

#[tokio::test]
async fn a_token_file_is_read_again_and_an_invalid_one_keeps_the_last_token() {
    let path = file("token", "first\n");
    let service = Service::start(|http| {
        let access = Access::default().bearer_file(&path).open([Endpoint::Metrics]);
        http.access(access).limits(Limits::default().reload_interval(Duration::from_millis(10)))
    });
    let status = async |token: &str| with(&service, "/tasks", token).await.status;
    assert_eq!((status("Bearer first").await, status("Bearer second").await), (200, 401));

    // By a rename, so that the file is never read half-written.
    let replace = |content: &str| fs::rename(file("next-token", content), &path).unwrap();
    let reloads = async |outcome: &str| {
        let series =
            format!("task_http_reloads_total{{what=\"credentials\",outcome=\"{outcome}\"}}");
        value(&service.get("/metrics").await.text(), &series).unwrap()
    };
    replace("  second\r\n");
    while status("Bearer second").await != 200 {}
    assert_eq!(status("Bearer first").await, 401);

    let mut faults = 0.0;
    // Each has another fault than the one before, since a fault that persists is counted once.
    for bad in [Some(""), Some("two words"), Some(&"x".repeat(70_000)), Some("caf\u{e9}"), None] {
        match bad {
            Some(content) => replace(content),
            None => fs::remove_file(&path).unwrap(),
        }
        faults += 1.0;
        while reloads("failed").await < faults {}
        assert_eq!(status("Bearer second").await, 200, "{:.20}", bad.unwrap_or("no file"));
    }
    sleep(Duration::from_millis(50)).await;
    assert_eq!(reloads("failed").await, faults, "a fault that persists is counted once");
    assert_eq!(reloads("changed").await, 1.0);
    service.stop().await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_client_of_a_unix_socket_is_admitted_despite_the_networks() {
    let path = std::env::temp_dir().join(format!("task-http-access-{}", std::process::id()));
    let elsewhere = Access::default().network("192.0.2.7");
    let http = HttpTask::builder().access(elsewhere).bind_unix(&path).unwrap();
    let service = Service::run(http, crate::group::TestGroup::new());
    let stream = tokio::net::UnixStream::connect(&path).await.unwrap();
    assert_eq!(crate::client::Client::new(stream).get("/metrics").await.status, 200);
    service.stop().await;
}

#[test]
fn invalid_credentials_and_networks_are_errors_without_the_secret() {
    let error =
        |access: Access| HttpTask::builder().access(access).bind("127.0.0.1:0").unwrap_err();
    for (access, message) in [
        (Access::default().bearer("s3cret word"), "the token is not visible ASCII"),
        (Access::default().bearer(""), "the token is empty"),
        (Access::default().basic("a:b", "c"), "user \"a:b\" has a colon or control characters"),
        (Access::default().basic("ann", ""), "the password is empty"),
        (Access::default().basic("ann", "a\nb"), "the password has control characters"),
    ] {
        assert_eq!(error(access).to_string(), message);
    }
    for network in ["", "10.0.0.0/33", "10.0.0.0/+8", "10.0.0/8", "::/129", "host", "10.0.0.0/"] {
        let error = error(Access::default().network(network));
        assert!(error.to_string().contains(&format!("{network:?}")), "{error}");
    }
    let missing = error(Access::default().bearer_file("/nowhere/token"));
    assert!(missing.is_unreadable());
    assert_eq!(missing.to_string(), "failed to read /nowhere/token");
}

#[test]
fn debug_output_has_no_secret() {
    let path = file("debug", "t0ken");
    let access = Access::default().bearer("s3cret").basic("ann", "s3cret");
    let access = access.bearer_file(&path);
    let builder = HttpTask::builder().access(access.clone());
    let mut shown = format!("{access:?} {builder:?}");
    shown += &format!("{:?}", builder.bind("127.0.0.1:0").unwrap());
    assert!(!shown.contains("s3cret") && !shown.contains("t0ken"), "{shown}");
    fs::remove_file(path).unwrap();
}
