//! TLS: the handshake and its limits, and certificates that change.

use std::{fs, time::Duration};

use rcgen::KeyPair;
use rustls::pki_types::ServerName;
use task_http::{HttpTask, Limits, Tls};
use tokio::{
    net::TcpStream,
    time::{Instant, sleep},
};

use crate::{
    authority::Authority,
    client::Client,
    service::{Service, value},
};

fn quick() -> Limits {
    Limits::default().reload_interval(Duration::from_millis(10))
}

#[tokio::test]
async fn requests_are_served_over_tls_and_not_in_clear_text() {
    let authority = Authority::new("clear");
    let service = Service::start(|http| http.tls(authority.tls("one.test")));
    let mut client = authority.connect(service.address, "one.test").await.unwrap();
    for (path, status) in [("/livez", 200), ("/metrics", 200), ("/nothing", 404), ("/livez", 200)] {
        assert_eq!(client.get(path).await.status, status, "{path}");
    }
    let mut clear = Client::connect(service.address).await;
    clear.send("GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").await;
    clear.closed().await;
    // A client that expects another host.
    assert!(authority.connect(service.address, "two.test").await.is_err());
    let scrape = client.get("/metrics").await.text();
    let failed = value(&scrape, "task_http_connections_rejected_total{reason=\"handshake\"}");
    assert!(failed.unwrap() >= 1.0);
    service.stop().await;
    client.closed().await;
}

#[tokio::test]
async fn a_new_certificate_serves_new_connections_and_open_ones_continue() {
    let authority = Authority::new("reload");
    let service = Service::start(|http| http.tls(authority.tls("one.test")).limits(quick()));
    let mut old = authority.connect(service.address, "one.test").await.unwrap();
    assert_eq!(old.get("/livez").await.status, 200);

    authority.sign("two.test");
    while authority.connect(service.address, "two.test").await.is_err() {}
    assert!(authority.connect(service.address, "one.test").await.is_err());
    assert_eq!(old.get("/livez").await.status, 200);
    service.stop().await;
}

#[tokio::test]
async fn invalid_files_leave_the_last_good_ones_in_use() {
    let authority = Authority::new("bad");
    let service = Service::start(|http| http.tls(authority.tls("one.test")).limits(quick()));
    let (certificate, key) = authority.paths();
    let other_key = KeyPair::generate().unwrap().serialize_pem();
    let failed = async || {
        let mut client = authority.connect(service.address, "one.test").await.unwrap();
        let scrape = client.get("/metrics").await.text();
        let series = "task_http_reloads_total{what=\"certificate\",outcome=\"failed\"}";
        value(&scrape, series).unwrap()
    };
    // A fault that stays is counted once, and one of the certificate hides those of the key.
    for (path, content) in
        [(&key, ""), (&key, other_key.as_str()), (&certificate, "no certificate")]
    {
        let before = failed().await;
        fs::write(path, content).unwrap();
        while failed().await == before {
            sleep(Duration::from_millis(5)).await;
        }
        let mut client = authority.connect(service.address, "one.test").await.unwrap();
        assert_eq!(client.get("/livez").await.status, 200);
    }

    authority.sign("two.test");
    while authority.connect(service.address, "two.test").await.is_err() {}
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_handshake_has_the_header_timeout_and_does_not_delay_others() {
    let authority = Authority::new("slow");
    let service = Service::start(|http| http.tls(authority.tls("one.test")));
    for half in [&b""[..], b"\x16\x03\x01\x02\x00\x01\x00"] {
        let mut silent = Client::connect(service.address).await;
        let connected = Instant::now();
        silent.send(half).await;
        let mut other = authority.connect(service.address, "one.test").await.unwrap();
        assert_eq!(other.get("/readyz").await.status, 200);
        assert!(connected.elapsed() < Duration::from_secs(1));
        silent.closed().await;
        assert_eq!(connected.elapsed().as_secs(), 5);
    }
    // The header has only what the handshake has left of the timeout.
    let stream = TcpStream::connect(service.address).await.unwrap();
    let connected = Instant::now();
    sleep(Duration::from_secs(3)).await;
    let name = ServerName::try_from("one.test").unwrap();
    let mut late = Client::new(authority.client(false).connect(name, stream).await.unwrap());
    late.send("GET /livez HT").await;
    late.closed().await;
    assert_eq!(connected.elapsed().as_secs(), 5);
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_stop_does_not_wait_for_a_handshake() {
    let authority = Authority::new("stop");
    let service = Service::start(|http| http.tls(authority.tls("one.test")));
    let mut silent = Client::connect(service.address).await;
    sleep(Duration::from_millis(10)).await;
    let asked = Instant::now();
    service.stop().await;
    silent.closed().await;
    assert!(asked.elapsed() < Duration::from_secs(1));
}

#[tokio::test]
async fn clients_without_a_certificate_are_refused_where_one_is_required() {
    let authority = Authority::new("clients");
    let tls = authority.tls("one.test").client_authorities(authority.folder.join("ca.pem"));
    let service = Service::start(|http| http.tls(tls));
    let name = || ServerName::try_from("one.test").unwrap();
    let stream = TcpStream::connect(service.address).await.unwrap();
    let mut known = Client::new(authority.client(true).connect(name(), stream).await.unwrap());
    assert_eq!(known.get("/metrics").await.status, 200);
    // In TLS 1.3, the client sees the refusal after its own part of the handshake.
    let stream = TcpStream::connect(service.address).await.unwrap();
    if let Ok(stream) = authority.client(false).connect(name(), stream).await {
        Client::new(stream).closed().await;
    }
    service.stop().await;
}

#[test]
fn invalid_files_are_an_error_that_names_them() {
    let authority = Authority::new("errors");
    let (certificate, key) = authority.sign("one.test");
    let build = |tls: Tls| HttpTask::builder().tls(tls).bind("127.0.0.1:0");
    let missing = build(Tls::from_files("/nowhere/tls.crt", &key)).unwrap_err();
    assert!(missing.is_unreadable());
    assert_eq!(missing.to_string(), "failed to read /nowhere/tls.crt");
    let swapped = build(Tls::from_files(&key, &certificate)).unwrap_err();
    assert!(swapped.to_string().ends_with("tls.key has no certificate in it"), "{swapped}");
    let tls = Tls::from_files(&certificate, &key).client_authorities(&certificate);
    let shown = format!("{tls:?} {:?}", build(tls.clone()).unwrap());
    assert!(!shown.contains("PRIVATE KEY"), "{shown}");
}
