//! A process without free file descriptors: a child, since the limit belongs to the process.

use std::{
    env, fs,
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpStream},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use task_http::Limits;

use crate::service::Service;

const SECOND: Duration = Duration::from_secs(1);

/// Serves until its standard input ends.
#[test]
#[ignore = "the child process of the test below"]
#[allow(clippy::print_stdout, reason = "the parent reads the address")]
fn child_with_few_descriptors() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let service = Service::start(|http| http.limits(Limits::default().connections(10_000)));
        println!("\nserving {}", service.address);
        let ended = tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new()));
        ended.await.unwrap().unwrap();
        service.stop().await;
    });
}

/// Requirement 9.
#[test]
fn without_free_descriptors_the_server_neither_spins_nor_ends_and_recovers() {
    let mut child = Command::new("sh")
        .args(["-c", "ulimit -n 40 && exec \"$0\" --ignored --exact --nocapture \"$1\""])
        .arg(env::current_exe().unwrap())
        .arg("descriptors::child_with_few_descriptors")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // Kept to the end, since the child would fail to print to a closed pipe.
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let address: SocketAddr = lines
        .by_ref()
        .map(Result::unwrap)
        .find_map(|line| line.strip_prefix("serving ")?.parse().ok())
        .expect("the child prints its address");

    let clients: Vec<_> = (0..60).map(|_| TcpStream::connect(address).unwrap()).collect();
    let (before, begun) = (cpu_ticks(&child), Instant::now());
    // In real time, since the CPU time of an idle process is measured.
    thread::sleep(Duration::from_millis(1500));
    let (spent, passed) = (cpu_ticks(&child) - before, begun.elapsed());
    assert!(spent as f64 / 100.0 < passed.as_secs_f64() / 4.0, "{spent} ticks in {passed:?}");

    // The clients that hold the descriptors send nothing, so they are evicted for one that does,
    // before their own timeout of 5 s.
    for _ in 0..5 {
        assert!(ask(address, "/livez", 2 * SECOND).starts_with("HTTP/1.1 200"));
    }
    drop(clients);
    let scrape = ask(address, "/metrics", 10 * SECOND);
    assert!(scrape.starts_with("HTTP/1.1 200"), "{scrape}");
    let errors = crate::service::value(
        &scrape,
        "task_http_connections_rejected_total{reason=\"accept_error\"}",
    );
    assert!((1.0..60.0).contains(&errors.unwrap()), "{errors:?}");
    assert!(ask(address, "/livez", 10 * SECOND).starts_with("HTTP/1.1 200"));
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
}

fn ask(address: SocketAddr, path: &str, timeout: Duration) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(timeout)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    std::io::read_to_string(stream).unwrap()
}

/// User and system time, in hundredths of a second.
fn cpu_ticks(child: &Child) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}
