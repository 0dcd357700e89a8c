//! A process without free file descriptors: a child, since the limit belongs to the process.

use std::{
    env, fs,
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpStream},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use axum::{Router, routing::get};
use tokio::sync::watch;

use crate::server::{SECOND, start_with};

/// How many connections find a descriptor.
const FREE: usize = 20;

/// Serves until its standard input ends, and prints each change of its readiness. It answers at
/// `/late` once it has read a line.
#[test]
#[ignore = "the child process of the test below"]
#[allow(clippy::print_stdout, reason = "the parent reads it")]
fn child_with_few_descriptors() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        // Not after a time, in which the clients of a busy machine may not all have come.
        let (answer, answers) = watch::channel(false);
        let late = async move || {
            let mut answers = answers.clone();
            assert!(answers.wait_for(|answers| *answers).await.is_ok());
        };
        let api = Router::new().route("/late", get(late)).route("/", get(async || "hello"));
        let server = start_with(|serve| serve, api, Duration::ZERO).await;
        // As many are free as the parent knows of.
        let null = || fs::File::open("/dev/null");
        let mut taken: Vec<_> = std::iter::from_fn(|| null().ok()).collect();
        taken.truncate(taken.len() - FREE);
        println!("\nserving {}", server.address);
        let mut group = server.handle.group().unwrap();
        let watching = tokio::spawn(async move {
            let mut was_ready = true;
            loop {
                let is_ready = group.readiness().is_ready();
                if is_ready != was_ready {
                    println!("\nready {is_ready}");
                    was_ready = is_ready;
                }
                group.changed().await;
            }
        });
        let read = move || {
            for line in std::io::stdin().lines() {
                line.unwrap();
                answer.send_replace(true);
            }
            answer
        };
        let _answer = tokio::task::spawn_blocking(read).await.unwrap();
        watching.abort();
        assert!(server.stopped().await.is_clean());
    });
}

#[test]
fn without_free_descriptors_the_server_is_not_ready_does_not_spin_and_recovers() {
    recovers_from(3 * FREE);
}

/// No client comes to a group that is not ready.
#[test]
fn the_server_is_ready_again_when_descriptors_are_free_and_no_client_waits() {
    recovers_from(FREE);
}

fn recovers_from(clients: usize) {
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
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut next = |prefix: &str| {
        let rest = |line: String| line.strip_prefix(prefix).map(str::to_owned);
        lines.find_map(rest).expect("the child prints it")
    };
    let address: SocketAddr = next("serving ").parse().unwrap();
    let clients: Vec<_> = (0..clients).map(|_| ask(address, "/late")).collect();
    assert_eq!(next("ready "), "false");
    let (before, begun) = (cpu_ticks(&child), Instant::now());
    // In real time, since the CPU time of an idle process is measured.
    thread::sleep(SECOND);
    let (spent, passed) = (cpu_ticks(&child) - before, begun.elapsed());
    assert!(spent as f64 / 100.0 < passed.as_secs_f64() / 4.0, "{spent} ticks in {passed:?}");
    child.stdin.as_mut().unwrap().write_all(b"answer\n").unwrap();
    for client in clients {
        let answer = std::io::read_to_string(client).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    assert_eq!(next("ready "), "true");
    let answer = std::io::read_to_string(ask(address, "/")).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
}

fn ask(address: SocketAddr, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(30 * SECOND)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    stream
}

/// User and system time, in hundredths of a second.
fn cpu_ticks(child: &Child) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}
