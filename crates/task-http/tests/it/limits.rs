//! Slow, silent and many clients: each meets its limit without an effect on the others.

use std::{future::pending, time::Duration};

use task_http::{Limits, http::Response, text_source};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::{Instant, sleep},
};

use crate::{
    client::Client,
    service::{Service, value},
};

const REQUEST: &str = "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n";

/// Returns 32 MiB, which is more than the buffers of a socket hold.
fn large() -> String {
    format!("x{{y=\"{}\"}} 1\n", "y".repeat((16 << 10) - 10)).repeat(2 << 10)
}

#[tokio::test(start_paused = true)]
async fn an_incomplete_header_is_closed_after_the_header_timeout() {
    let service = Service::start(|http| http);
    for half in ["", "GET /livez HT", "GET /livez HTTP/1.1\r\nHost: x\r\n"] {
        let mut client = Client::connect(service.address).await;
        let connected = Instant::now();
        client.send(half).await;
        client.closed().await;
        assert_eq!(connected.elapsed().as_secs(), 5, "{half}");
    }
    service.stop().await;
}

/// Requirement 8.
#[tokio::test(start_paused = true)]
async fn a_client_that_sends_its_header_in_drips_gains_no_time() {
    let service = Service::start(|http| http);
    let mut stream = TcpStream::connect(service.address).await.unwrap();
    let connected = Instant::now();
    for byte in REQUEST.bytes().cycle().filter(|byte| *byte != b'\n') {
        if stream.write_all(&[byte]).await.is_err() {
            break;
        }
        sleep(Duration::from_millis(400)).await;
    }
    assert!(connected.elapsed() < Duration::from_secs(7), "{:?}", connected.elapsed());
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_idle_timeout_ends_with_the_first_byte_of_the_next_header() {
    let service = Service::start(|http| http);
    let mut client = Client::connect(service.address).await;
    for _ in 0..3 {
        assert_eq!(client.get("/livez").await.status, 200);
        sleep(Duration::from_secs(60)).await;
    }
    client.send("GET /li").await;
    let begun = Instant::now();
    client.closed().await;
    assert_eq!(begun.elapsed().as_secs(), 5);

    let mut client = Client::connect(service.address).await;
    client.get("/livez").await;
    let served = Instant::now();
    client.closed().await;
    assert_eq!(served.elapsed().as_secs(), 90);
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_old_connection_is_closed_even_if_it_is_in_use() {
    let service = Service::start(|http| {
        http.limits(Limits::default().connection_age(Duration::from_secs(100)))
    });
    let mut client = Client::connect(service.address).await;
    let connected = Instant::now();
    while client.is_open().await {
        assert_eq!(client.get("/livez").await.status, 200);
        sleep(Duration::from_secs(10)).await;
        assert!(connected.elapsed().as_secs() < 200);
    }
    assert!((100..=110).contains(&connected.elapsed().as_secs()), "{:?}", connected.elapsed());
    service.stop().await;
}

/// Requirement 8.
#[tokio::test]
async fn a_header_that_is_too_large_or_has_too_many_fields_is_refused() {
    let service = Service::start(|http| http.limits(Limits::default().headers(20)));
    let mut client = Client::connect(service.address).await;
    client.send(format!("GET /livez HTTP/1.1\r\nHost: x\r\nX: {}", "x".repeat(20_000))).await;
    assert_eq!(client.response(true).await.status, 431);
    client.closed().await;

    let mut client = Client::connect(service.address).await;
    client.send(format!("GET /livez HTTP/1.1\r\n{}\r\n", "X: x\r\n".repeat(21))).await;
    assert_eq!(client.response(true).await.status, 431);

    // 1 MiB, of which the server may not read all before it closes.
    let mut stream = TcpStream::connect(service.address).await.unwrap();
    let _ = stream.write_all(&vec![b'x'; 1 << 20]).await;
    let _ = stream.read_to_end(&mut Vec::new()).await;

    // Just within the limits.
    let mut client = Client::connect(service.address).await;
    client
        .send(format!("GET /livez HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "x".repeat(15_000)))
        .await;
    assert_eq!(client.response(true).await.status, 200);
    service.stop().await;
}

#[tokio::test]
async fn a_limit_of_the_header_without_end_is_one_that_serves() {
    let limits = Limits::default().headers(usize::MAX).header_bytes(usize::MAX);
    let service = Service::start(|http| http.limits(limits));
    assert_eq!(Client::connect(service.address).await.get("/livez").await.status, 200);
    service.stop().await;
}

#[tokio::test]
async fn a_malformed_request_gets_400_and_is_closed() {
    let service = Service::start(|http| http);
    for garbage in
        ["\x16\x03\x01\x02\x00\x01", "NOT HTTP\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9\r\n\r\n"]
    {
        let mut client = Client::connect(service.address).await;
        client.send(garbage).await;
        let response = client.response(true).await;
        assert_eq!(response.status, 400, "{garbage:?}");
        client.closed().await;
    }
    service.stop().await;
}

/// Requirement 8.
#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_is_dropped_after_the_response_timeout() {
    let service = Service::start(|http| http.metrics(text_source(large)));
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut stream = socket.connect(service.address).await.unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let asked = Instant::now();
    stream.readable().await.unwrap();
    // Nothing is read until the response timeout has passed.
    sleep(Duration::from_secs(31)).await;
    let mut read = Vec::new();
    let _ = stream.read_to_end(&mut read).await;
    assert!(read.len() < 30 << 20, "it was all sent");
    assert!(asked.elapsed().as_secs() < 35);
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn clients_that_do_not_read_can_be_evicted_after_a_second() {
    let service = Service::start(|http| {
        http.limits(Limits::default().connections(2)).metrics(text_source(large))
    });
    let mut stalled = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(service.address).await.unwrap();
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        stream.readable().await.unwrap();
        stalled.push(stream);
    }
    let asked = Instant::now();
    assert_eq!(service.get("/readyz").await.status, 200);
    assert!((900..1200).contains(&asked.elapsed().as_millis()), "{:?}", asked.elapsed());
    service.stop().await;
}

/// Requirement 8.
#[tokio::test(start_paused = true)]
async fn the_second_that_a_client_has_to_read_begins_with_the_response() {
    let service = Service::start(|http| {
        http.limits(Limits::default().connections(1)).route("/slow", async |_| {
            sleep(Duration::from_secs(2)).await;
            Ok(Response::new(large()))
        })
    });
    let mut stream = TcpStream::connect(service.address).await.unwrap();
    stream.write_all(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    stream.readable().await.unwrap();
    let asked = Instant::now();
    assert_eq!(service.get("/readyz").await.status, 200);
    assert!((900..1200).contains(&asked.elapsed().as_millis()), "{:?}", asked.elapsed());
    service.stop().await;
}

/// Requirement 8.
#[tokio::test(start_paused = true)]
async fn a_client_that_reads_steadily_outlives_one_that_reads_nothing() {
    let service = Service::start(|http| {
        http.limits(Limits::default().connections(2))
            .route("/large", async |_| Ok(Response::new(large())))
    });
    let mut clients = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(service.address).await.unwrap();
        let request = b"GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        stream.write_all(request).await.unwrap();
        stream.readable().await.unwrap();
        clients.push(stream);
    }
    let (mut steady, mut read) = (clients.remove(0), vec![0; 4 << 20]);
    for _ in 0..4 {
        sleep(Duration::from_millis(400)).await;
        steady.read_exact(&mut read).await.unwrap();
    }
    assert_eq!(service.get("/readyz").await.status, 200);
    let rest = steady.read_to_end(&mut Vec::new()).await.unwrap();
    assert!(4 * read.len() + rest > 32 << 20, "only {rest} bytes more");
    service.stop().await;
}

/// Requirement 8.
#[tokio::test]
async fn the_connection_that_waits_longest_for_a_request_is_evicted_first() {
    let service = Service::start(|http| http.limits(Limits::default().connections(3)));
    let mut silent = Client::connect(service.address).await;
    // A response shows that this connection and those before it were accepted.
    let mut idle = Client::connect(service.address).await;
    assert_eq!(idle.get("/livez").await.status, 200);
    let mut half = Client::connect(service.address).await;
    half.send("GET /li").await;
    let mut used = Client::connect(service.address).await;
    assert_eq!(used.get("/livez").await.status, 200);
    silent.closed().await;
    assert!(idle.is_open().await && half.is_open().await);

    let scrape = Client::connect(service.address).await.get("/metrics").await.text();
    idle.closed().await;
    assert!(half.is_open().await && used.is_open().await);
    assert_eq!(value(&scrape, "task_http_connections"), Some(3.0));
    assert_eq!(value(&scrape, "task_http_connections_rejected_total{reason=\"limit\"}"), Some(2.0));
    service.stop().await;
}

/// Requirement 8.
#[tokio::test]
async fn a_thousand_silent_clients_do_not_block_a_probe() {
    let service = Service::start(|http| http);
    let mut silent = Vec::new();
    for _ in 0..1000 {
        silent.push(Client::connect(service.address).await);
    }
    let asked = std::time::Instant::now();
    assert_eq!(service.get("/readyz").await.status, 200);
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    let scrape = service.get("/metrics").await.text();
    assert!(value(&scrape, "task_http_connections").unwrap() <= 256.0);
    service.stop().await;
}

/// Requirement 8.
#[tokio::test(start_paused = true)]
async fn when_all_connections_are_busy_the_next_waits_for_the_first_to_end() {
    let service =
        Service::start(|http| {
            http.limits(Limits::default().connections(2).check_timeout(Duration::from_secs(8)))
                .check("slow", || async {
                    sleep(Duration::from_secs(7)).await;
                    Ok(())
                })
        });
    let mut busy = Vec::new();
    for _ in 0..2 {
        let mut client = Client::connect(service.address).await;
        client.send("GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n").await;
        busy.push(client);
    }
    sleep(Duration::from_secs(1)).await;
    let mut next = Client::connect(service.address).await;
    let asked = Instant::now();
    assert_eq!(next.get("/livez").await.status, 200);
    assert_eq!(asked.elapsed().as_secs(), 6);
    // Both clients would keep their connections, but one was evicted once it had its response.
    let mut closed = 0;
    for client in &mut busy {
        assert_eq!(client.response(true).await.status, 200);
        closed += u32::from(!client.is_open().await);
    }
    assert_eq!(closed, 1);
    service.stop().await;
}

/// Requirement 7.
#[tokio::test(start_paused = true)]
async fn scrapes_wait_for_responses_on_at_most_half_of_the_connections() {
    for (connections, at_once) in [(1, 1), (2, 1), (8, 4), (9, 4)] {
        let service = Service::start(|http| {
            http.limits(Limits::default().connections(connections))
                .route("/waits", |_| pending::<anyhow::Result<Response<&str>>>())
        });
        let mut waiting = Vec::new();
        for _ in 0..at_once {
            let mut client = Client::connect(service.address).await;
            client.send("GET /waits HTTP/1.1\r\nHost: x\r\n\r\n").await;
            waiting.push(client);
        }
        sleep(Duration::from_millis(100)).await;
        for _ in at_once..connections {
            let asked = Instant::now();
            let paths = ["/waits", "/metrics", "/tasks"];
            for path in paths {
                assert_eq!(service.get(path).await.status, 503, "{path} of {connections}");
            }
            assert_eq!(service.get("/readyz").await.status, 200);
            assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
        }
        for client in &mut waiting {
            assert!(client.is_open().await);
        }
        service.stop().await;
    }
}

/// Requirement 14.
#[tokio::test]
async fn three_thousand_checks_run_concurrently_and_each_has_its_line() {
    let service = Service::start(|http| {
        (0..3000).fold(http, |http, number| {
            http.check(format!("check-{number:04}"), || async { Ok(()) })
        })
    });
    let asked = std::time::Instant::now();
    let response = service.get("/readyz?verbose").await;
    assert_eq!((response.status, response.text().matches("[+]check-").count()), (200, 3000));
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    service.stop().await;
}
