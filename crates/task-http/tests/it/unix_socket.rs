//! Unix sockets and their files.

use std::{
    env, fs,
    os::unix::{fs::PermissionsExt, net::UnixListener},
    path::PathBuf,
    process,
    sync::{
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use socket2::{Domain, SockAddr, Socket, Type};
use task_http::{BoundAddress, HttpTask, ListenOptions};

use crate::{client::Client, group::TestGroup, service::Service};

/// A path that no other test uses. The drop removes the file.
struct TempPath(PathBuf);

impl TempPath {
    fn new() -> Self {
        static LAST: AtomicU32 = AtomicU32::new(0);
        let number = LAST.fetch_add(1, Ordering::Relaxed);
        Self(env::temp_dir().join(format!("task-http-{}-{number}.sock", process::id())))
    }
}

impl Drop for TempPath {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Requirement 12.
#[tokio::test]
async fn the_server_removes_its_socket_file_when_it_stops() {
    let path = TempPath::new();
    let http = HttpTask::bind_unix(&path.0).unwrap();
    assert_eq!(http.local_addr(), None);
    assert_eq!(http.addresses().collect::<Vec<_>>(), [&BoundAddress::Unix(path.0.clone())]);
    let service = Service::run(http, TestGroup::new());
    let mut client = Client::new(tokio::net::UnixStream::connect(&path.0).await.unwrap());
    assert_eq!(client.get("/livez").await.status, 200);
    service.stop().await;
    assert!(!path.0.exists());
}

/// Requirement 12.
#[test]
fn a_socket_file_without_an_owner_is_replaced() {
    let path = TempPath::new();
    drop(UnixListener::bind(&path.0).unwrap());
    assert!(path.0.exists());
    let _http = HttpTask::bind_unix(&path.0).unwrap();
}

/// Requirement 12.
#[test]
fn a_socket_file_with_a_live_owner_is_in_use() {
    let path = TempPath::new();
    let _owner = UnixListener::bind(&path.0).unwrap();
    let error = HttpTask::bind_unix(&path.0).unwrap_err();
    assert!(error.is_address_in_use());
    assert_eq!(error.to_string(), format!("failed to bind unix:{}", path.0.display()));
    assert!(path.0.exists());
}

/// Requirement 12.
#[cfg(target_os = "linux")]
#[test]
fn a_live_owner_with_a_full_queue_is_noticed_at_once() {
    let path = TempPath::new();
    let _owner = ListenOptions::default().backlog(1).bind_unix(&path.0).unwrap();
    let address = SockAddr::unix(&path.0).unwrap();
    let mut waiting = Vec::new();
    loop {
        let client = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        client.set_nonblocking(true).unwrap();
        if client.connect(&address).is_err() {
            break;
        }
        waiting.push(client);
    }
    let (sender, receiver) = mpsc::channel();
    let other = path.0.clone();
    thread::spawn(move || drop(sender.send(HttpTask::bind_unix(other))));
    let bound = receiver.recv_timeout(Duration::from_secs(10)).expect("the bind does not wait");
    assert!(bound.unwrap_err().is_address_in_use());
    assert!(path.0.exists());
}

#[test]
fn a_file_that_is_no_socket_is_not_replaced() {
    let path = TempPath::new();
    fs::write(&path.0, "precious").unwrap();
    assert!(HttpTask::bind_unix(&path.0).unwrap_err().is_address_in_use());
    assert_eq!(fs::read_to_string(&path.0).unwrap(), "precious");
}

/// Requirement 12.
#[test]
fn the_mode_is_set() {
    let path = TempPath::new();
    let listener = ListenOptions::default().mode(0o640).bind_unix(&path.0).unwrap();
    assert_eq!(fs::metadata(&path.0).unwrap().permissions().mode() & 0o777, 0o640);
    drop(listener);
    assert!(!path.0.exists());
}

#[test]
fn the_socket_file_of_a_successor_is_not_removed() {
    let path = TempPath::new();
    let old = HttpTask::bind_unix(&path.0).unwrap();
    fs::remove_file(&path.0).unwrap();
    let _successor = UnixListener::bind(&path.0).unwrap();
    drop(old);
    assert!(path.0.exists());
}
