//! Blocked runtimes, in `/livez` and in the counters.

use std::{
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use task_http::{HttpTaskBuilder, Limits};
use tokio::{runtime, sync::oneshot};

use crate::service::{Service, value};

fn soon(http: HttpTaskBuilder) -> HttpTaskBuilder {
    http.limits(Limits::default().stall_timeout(Duration::from_millis(100)))
}

/// A runtime on a thread of its own, which is blocked until a message arrives.
struct Blocked {
    handle: runtime::Handle,
    unblock: mpsc::Sender<()>,
    end: oneshot::Sender<()>,
    thread: thread::JoinHandle<()>,
}

impl Blocked {
    fn new() -> Self {
        let runtime = runtime::Builder::new_current_thread().build().unwrap();
        let handle = runtime.handle().clone();
        let ((unblock, unblocked), (end, ended)) = (mpsc::channel(), oneshot::channel());
        let thread = thread::spawn(move || {
            runtime.block_on(async {
                let _ = unblocked.recv();
                let _ = ended.await;
            });
        });
        Self { handle, unblock, end, thread }
    }
}

#[tokio::test]
async fn a_blocked_runtime_fails_livez_by_name_until_it_runs_again() {
    let other = Blocked::new();
    let service = Service::start(|http| soon(http).watch_runtime("main", other.handle.clone()));
    // The server's own runtime may be late on a busy machine, so it is left out.
    let failed = loop {
        let response = service.get("/livez?exclude=runtime").await;
        if response.status == 503 {
            break response.text();
        }
    };
    assert!(failed.starts_with("[-]runtime/main failed: no spawned task has run for "), "{failed}");
    // As is the other one.
    let others = service.get("/livez?exclude=runtime/main&exclude=runtime").await;
    assert_eq!(others.status, 200, "{}", others.text());
    assert_eq!(service.get("/readyz").await.status, 200);
    let scrape = service.get("/metrics").await.text();
    assert_eq!(value(&scrape, "tokio_stalls_total{runtime=\"runtime/main\"}"), Some(1.0));
    let delay = value(&scrape, "tokio_spawn_delay_seconds{runtime=\"runtime/main\"}").unwrap();
    assert!(delay >= 0.1, "{delay}");

    other.unblock.send(()).unwrap();
    while service.get("/livez?exclude=runtime").await.status != 200 {}
    // A runtime that was shut down has not stalled.
    other.end.send(()).unwrap();
    other.thread.join().unwrap();
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(300) {
        assert_eq!(service.get("/livez?exclude=runtime").await.status, 200);
    }
    service.stop().await;
}

#[tokio::test]
async fn a_stall_of_the_servers_own_runtime_is_counted_afterwards() {
    let service = Service::start(soon);
    for _ in 0..50 {
        thread::sleep(Duration::from_millis(300));
        let scrape = service.get("/metrics").await.text();
        if value(&scrape, "tokio_stalls_total{runtime=\"runtime\"}").unwrap() > 0.0 {
            return service.stop().await;
        }
    }
    panic!("no stall was counted");
}

/// The heartbeat threads of this process.
#[cfg(target_os = "linux")]
fn heartbeats() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    // One that has ended meanwhile cannot be read.
    let name = |task: std::io::Result<std::fs::DirEntry>| {
        std::fs::read_to_string(task.ok()?.path().join("comm")).ok()
    };
    tasks.filter_map(name).filter(|name| name.trim() == "task-http-beat").count()
}

/// It counts threads of the process, so it has one of its own: this binary again, with this test
/// alone.
#[cfg(target_os = "linux")]
#[test]
fn the_heartbeat_thread_ends_with_the_server_and_is_optional() {
    const ALONE: &str = "TASK_HTTP_ALONE";
    let name = "heartbeat::the_heartbeat_thread_ends_with_the_server_and_is_optional";
    if std::env::var_os(ALONE).is_some() {
        let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
        return runtime.block_on(starts_and_ends_heartbeats());
    }
    let mut alone = std::process::Command::new(std::env::current_exe().unwrap());
    let ended = alone.args([name, "--exact", "--nocapture"]).env(ALONE, "").output().unwrap();
    let text = String::from_utf8_lossy(&ended.stdout);
    assert!(ended.status.success(), "{text}{}", String::from_utf8_lossy(&ended.stderr));
    assert!(text.contains("1 passed"), "{text}");
}

#[cfg(target_os = "linux")]
async fn starts_and_ends_heartbeats() {
    let becomes = |count| {
        let began = Instant::now();
        while heartbeats() != count {
            assert!(began.elapsed() < Duration::from_secs(10), "{} threads", heartbeats());
            thread::yield_now();
        }
    };
    let without = Service::start(HttpTaskBuilder::without_heartbeat);
    assert_eq!(without.get("/livez?verbose").await.text(), "[+]runtime ok\nlivez check passed\n");
    assert!(!without.get("/metrics").await.text().contains("tokio_stalls"));
    assert_eq!(heartbeats(), 0);
    without.stop().await;

    let with = Service::start(|http| http);
    with.get("/livez").await;
    becomes(1);
    with.stop().await;
    becomes(0);
}
