//! The probe that a binary makes of itself.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener},
    thread,
    time::{Duration, Instant},
};

use task_core::Step;
use task_http::{
    Access, HttpTask, ListenOptions,
    probe::{self, ProbeError},
};
use tokio::{net::TcpSocket, task::spawn_blocking};

use crate::{group::TestGroup, service::Service};

/// Longer than any machine takes for a response.
const LONG: Duration = Duration::from_secs(60);

async fn check(address: impl ToString, path: &'static str) -> Result<(), ProbeError> {
    let address = address.to_string();
    spawn_blocking(move || probe::check(address, path, LONG)).await.unwrap()
}

/// Requirement 19.
#[tokio::test]
async fn a_probe_passes_while_the_group_is_ready_and_fails_with_the_reason_while_it_drains() {
    let service = Service::start(|http| {
        let http = http.access(Access::default().bearer("s3cret"));
        http.check("database", || async { anyhow::bail!("away") }).reveal_reasons()
    });
    for path in ["/livez", "/readyz/manager", "/readyz?exclude=database"] {
        check(service.address, path).await.unwrap();
    }
    let error = check(service.address, "/readyz").await.unwrap_err();
    assert_eq!(error.to_string(), format!("/readyz at {} returned 503", service.address));
    assert_eq!(error.status(), Some(503));
    assert!(error.body().contains("[-]database failed: away\n"), "{}", error.body());
    assert!(!error.is_timeout());

    service.group.change(|snapshot| {
        snapshot.step = Step::Draining;
        snapshot.readiness.blockers = vec![task_core::Blocker::ShuttingDown(Step::Draining)];
    });
    let error = check(service.address, "/readyz/manager").await.unwrap_err();
    assert!(error.body().contains("shutting down"), "{}", error.body());
    check(service.address, "/livez").await.unwrap();
    // Not found, and not permitted.
    assert_eq!(check(service.address, "/nowhere").await.unwrap_err().status(), Some(401));
    service.stop().await;
}

/// Requirement 19.
#[tokio::test]
async fn the_address_of_the_probe_is_the_one_that_the_server_binds() {
    let (any, address) = {
        let listener = ListenOptions::default().bind(":0").unwrap();
        let address = listener.address().to_string();
        (listener, address.parse::<SocketAddr>().unwrap())
    };
    let http = HttpTask::builder().listener(any).build().unwrap();
    let service = Service::run(http, TestGroup::new());
    let port = address.port();
    for address in [
        format!(":{port}"),
        format!("[::]:{port}"),
        format!("0.0.0.0:{port}"),
        format!("127.0.0.1:{port}"),
        format!("localhost:{port}"),
    ] {
        check(&address, "/livez").await.unwrap_or_else(|error| panic!("{address}: {error:?}"));
    }
    service.stop().await;
}

/// Requirement 19.
#[cfg(unix)]
#[tokio::test]
async fn a_unix_socket_is_probed_by_its_path() {
    let path = std::env::temp_dir().join(format!("task-http-probe-{}.sock", std::process::id()));
    let http = HttpTask::builder().bind_unix(&path).unwrap();
    let address = http.addresses().next().unwrap().clone();
    let service = Service::run(http, TestGroup::new());
    check(&address, "/livez").await.unwrap();
    service.stop().await;
    let error = check(&address, "/livez").await.unwrap_err();
    assert_eq!(error.to_string(), format!("failed to connect to unix:{}", path.display()));
}

#[test]
fn a_refused_connection_and_a_malformed_path_are_errors() {
    // It is kept, and does not listen.
    let bound = TcpSocket::new_v4().unwrap();
    bound.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let unused = bound.local_addr().unwrap();
    let error = probe::check(unused, "/readyz", LONG).unwrap_err();
    assert_eq!(error.to_string(), format!("failed to connect to {unused}"));
    assert!(std::error::Error::source(&error).is_some());
    assert_eq!((error.status(), error.body()), (None, ""));
    for path in ["readyz", "", "/a b", "/\r\nX: y", "/é"] {
        let error = probe::check(unused, path, LONG).unwrap_err();
        assert_eq!(error.to_string(), format!("{path:?} is not a path that begins with `/`"));
    }
    for address in ["", "nowhere", "127.0.0.1", "127.0.0.1:port"] {
        let error = probe::check(address, "/", LONG).unwrap_err();
        assert_eq!(error.to_string(), format!("failed to connect to {address}"));
    }
}

/// Starts a server that sends these pieces with the first bytes of a request, and then hangs.
fn hanging(pieces: &'static [&'static [u8]]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let mut kept = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 1024]);
            for piece in pieces {
                let _ = stream.write_all(piece);
            }
            kept.push(stream);
        }
    });
    address
}

/// Requirement 19.
#[test]
fn a_server_that_hangs_fails_the_probe_at_the_timeout() {
    let short = Duration::from_millis(200);
    // It accepts no connection itself; the system does.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    for address in [
        silent.local_addr().unwrap(),
        hanging(&[]),
        hanging(&[b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"]),
    ] {
        let asked = Instant::now();
        let error = probe::check(address, "/readyz", short).unwrap_err();
        assert!(asked.elapsed() >= short && asked.elapsed() < LONG);
        assert!(error.is_timeout(), "{error:?}");
        assert_eq!(error.to_string(), format!("no response from {address} within 200ms"));
    }
    // A deadline that has passed, and one that never does.
    assert!(
        probe::check(silent.local_addr().unwrap(), "/", Duration::ZERO).unwrap_err().is_timeout()
    );
    let answering = hanging(&[b"HTTP/1.1 204 No Content\r\n\r\n"]);
    // Its status is there, whatever its body does.
    probe::check(answering, "/", LONG).unwrap();
    let failing = hanging(&[b"HTTP/1.1 503 No\r\n\r\n", b"not\x1b ready\n"]);
    let error = probe::check(failing, "/", Duration::from_secs(6)).unwrap_err();
    assert_eq!((error.status(), error.body()), (Some(503), "not  ready\n"));
}

#[test]
fn what_is_no_response_fails_and_a_long_body_is_cut() {
    let responses: [&[u8]; 5] = [
        b"SSH-2.0-x\r\n\r\n",
        b"HTTP/2.0 200 OK\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 \xff\r\n\r\n",
        &[b'x'; 20_000],
    ];
    for response in responses {
        let address = hanging(vec![response].leak());
        let error = probe::check(address, "/", LONG).unwrap_err();
        assert_eq!(error.to_string(), format!("the response from {address} is not HTTP"));
    }
    let long: &'static [u8] = vec![b'x'; 10_000].leak();
    let address = hanging(vec![&b"HTTP/1.1 500 No\r\n\r\n"[..], long].leak());
    let error = probe::check(address, "/", LONG).unwrap_err();
    assert_eq!((error.status(), error.body().len()), (Some(500), 4096));
}
