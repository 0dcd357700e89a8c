//! Constructors bind, and their errors name the address.

use std::net::{Ipv6Addr, TcpListener};

use task_core::{Phase, Task};
use task_http::{BoundAddress, HttpTask, ListenOptions, Listener};

use crate::{client::get, group::TestGroup, service::Service};

/// Requirement 1.
#[test]
fn an_address_in_use_is_an_error_that_names_it() {
    let first = HttpTask::bind("127.0.0.1:0").unwrap();
    let address = first.local_addr().unwrap();
    let error = HttpTask::bind(address).unwrap_err();
    assert!(error.is_address_in_use());
    assert_eq!(error.to_string(), format!("failed to bind {address}"));
    assert_eq!(error.address(), Some(address.to_string().as_str()));
    assert!(std::error::Error::source(&error).is_some());
}

#[test]
fn a_malformed_address_is_an_error_that_names_it() {
    let error = HttpTask::bind("127.0.0.1:http-port").unwrap_err();
    assert_eq!(error.to_string(), "failed to resolve 127.0.0.1:http-port");
}

/// Requirement 1.
#[test]
fn port_zero_becomes_a_real_port_without_a_runtime() {
    let http = HttpTask::bind(("127.0.0.1", 0)).unwrap();
    let address = http.local_addr().unwrap();
    assert_ne!(address.port(), 0);
    // The system accepts connections from the bind on.
    std::net::TcpStream::connect(address).unwrap();
}

/// Requirement 16.
#[test]
fn a_task_that_is_dropped_before_its_run_frees_its_address() {
    // Several, since another test may take the port in between.
    let frees = |_| {
        let http = HttpTask::bind("127.0.0.1:0").unwrap();
        let address = http.local_addr().unwrap();
        drop(http);
        HttpTask::bind(address).is_ok()
    };
    assert!((0..10).any(frees));
}

#[test]
fn a_task_without_a_listener_is_an_error() {
    let error = HttpTask::builder().build().unwrap_err();
    assert_eq!(error.to_string(), "there is no listener to serve on");
    assert_eq!(error.address(), None);
}

#[test]
fn a_fault_in_the_settings_binds_no_address() {
    let owner = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = owner.local_addr().unwrap();
    let error = HttpTask::builder().metrics_prefix("9").bind(address).unwrap_err();
    assert!(!error.is_address_in_use(), "{error}");
}

#[test]
fn the_task_is_a_support_task_named_http() {
    let http = HttpTask::bind("127.0.0.1:0").unwrap();
    assert_eq!((http.name().as_ref(), http.phase()), ("http", Phase::SUPPORT));
}

#[tokio::test]
async fn a_client_that_connects_before_the_run_is_served_once_the_task_runs() {
    let http = HttpTask::bind("127.0.0.1:0").unwrap();
    let mut early = crate::client::Client::connect(http.local_addr().unwrap()).await;
    early.send("GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").await;
    let service = Service::run(http, TestGroup::new());
    assert_eq!(early.response(true).await.status, 200);
    service.stop().await;
}

#[tokio::test]
async fn several_addresses_are_served() {
    let http = HttpTask::builder()
        .listener(ListenOptions::default().bind("127.0.0.1:0").unwrap())
        .bind("127.0.0.1:0")
        .unwrap();
    let addresses: Vec<BoundAddress> = http.addresses().cloned().collect();
    let service = Service::run(http, TestGroup::new());
    assert_eq!(addresses.len(), 2);
    for address in addresses {
        let BoundAddress::Tcp(address) = address else { panic!("{address} is not a TCP address") };
        assert_eq!(get(address, "/livez").await.status, 200);
    }
    service.stop().await;
}

#[tokio::test]
async fn a_blocking_listener_of_the_standard_library_is_taken_over() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let http = HttpTask::builder().listener(Listener::try_from(listener).unwrap()).build().unwrap();
    let service = Service::run(http, TestGroup::new());
    // A listener that blocks would block this single thread.
    assert_eq!(service.get("/livez").await.status, 200);
    assert_eq!(service.get("/livez").await.status, 200);
    service.stop().await;
}

/// Requirement 15.
#[tokio::test]
async fn two_servers_of_one_process_stop_independently() {
    let one = Service::start(|http| http);
    let other = Service::start(|http| http);
    one.stop().await;
    assert_eq!(other.get("/livez").await.status, 200);
    other.stop().await;
}

/// Requirement 12.
#[test]
fn an_ipv6_listener_accepts_ipv4_unless_only_v6_is_set() {
    if TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0)).is_err() {
        eprintln!("skipped: this machine has no IPv6");
        return;
    }
    let both = HttpTask::bind(":0").unwrap();
    let port = both.local_addr().unwrap().port();
    std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    assert!(HttpTask::bind(("0.0.0.0", port)).unwrap_err().is_address_in_use());

    // Several, since another test may listen on the same port of IPv4.
    let refuses_v4 = |_| {
        let only_v6 = ListenOptions::default().only_v6(true).bind("[::]:0").unwrap();
        let BoundAddress::Tcp(address) = only_v6.address() else { panic!("not a TCP address") };
        std::net::TcpStream::connect(("127.0.0.1", address.port())).is_err()
    };
    assert!((0..10).any(refuses_v4));
}

/// Only Unix has `SO_REUSEPORT`.
#[cfg(unix)]
#[test]
fn a_port_is_shared_only_with_reuse_port() {
    let sharing = ListenOptions::default().reuse_port(true);
    let first = sharing.bind("127.0.0.1:0").unwrap();
    let BoundAddress::Tcp(second) = first.address().clone() else { panic!("not a TCP address") };
    let _shared = sharing.bind(second).unwrap();
    assert!(ListenOptions::default().bind(second).unwrap_err().is_in_use());
}
