//! The socket of a systemd that only listens, and a group that reports to it.

use std::{
    env, fs,
    io::ErrorKind,
    os::{
        linux::net::SocketAddrExt as _,
        unix::net::{SocketAddr, UnixDatagram},
    },
    path::PathBuf,
    process,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use task_core::{Context, Task, task_fn};
use task_systemd::{Environment, SystemdTask};
use tokio::time::{sleep, timeout};

static COUNT: AtomicU32 = AtomicU32::new(0);

/// A path that no other test has.
pub(crate) fn path() -> PathBuf {
    let ordinal = COUNT.fetch_add(1, Ordering::Relaxed);
    env::temp_dir().join(format!("task-systemd-{}-{ordinal}", process::id()))
}

pub(crate) struct Fake {
    pub(crate) socket: UnixDatagram,
    address: String,
    path: Option<PathBuf>,
}

impl Fake {
    pub(crate) fn at_path() -> Self {
        Self::at(path())
    }

    pub(crate) fn at(path: PathBuf) -> Self {
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_nonblocking(true).unwrap();
        Self { socket, address: path.to_str().unwrap().to_owned(), path: Some(path) }
    }

    pub(crate) fn abstract_name() -> Self {
        let name = path().to_str().unwrap().to_owned();
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let socket = UnixDatagram::bind_addr(&address).unwrap();
        socket.set_nonblocking(true).unwrap();
        Self { socket, address: format!("@{name}"), path: None }
    }

    pub(crate) fn environment(&self) -> Environment {
        Environment::new().notify_socket(&self.address)
    }

    pub(crate) fn task(&self) -> SystemdTask {
        SystemdTask::with(&self.environment()).unwrap()
    }

    /// What has arrived, but for the beats and the barrier.
    pub(crate) fn received(&self) -> Vec<String> {
        let mut messages = self.received_all();
        messages.retain(|message| !["WATCHDOG=1", "BARRIER=1"].contains(&message.as_str()));
        messages
    }

    /// What has arrived.
    pub(crate) fn received_all(&self) -> Vec<String> {
        let mut messages = Vec::new();
        loop {
            let mut bytes = vec![0; 64 << 10];
            match self.socket.recv(&mut bytes) {
                Ok(length) => messages.push(String::from_utf8(bytes[..length].to_vec()).unwrap()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return messages,
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Fills its queue, so that systemd takes nothing until it has read.
    pub(crate) fn fill(&self) {
        let filler = UnixDatagram::unbound().unwrap();
        filler.set_nonblocking(true).unwrap();
        filler.connect_addr(&self.socket.local_addr().unwrap()).unwrap();
        while filler.send(b"WATCHDOG=1").is_ok() {}
    }

    /// The first message for which it holds, within ten minutes of the clock, which may be paused.
    /// Those before it are dropped.
    pub(crate) async fn until(&self, what: &str, holds: impl Fn(&str) -> bool) -> String {
        let mut seen = Vec::new();
        let look = async {
            loop {
                let messages = self.received();
                if let Some(found) = messages.iter().find(|message| holds(message)) {
                    return found.clone();
                }
                seen.extend(messages);
                sleep(Duration::from_millis(10)).await;
            }
        };
        let found = timeout(Duration::from_secs(600), look).await;
        found.unwrap_or_else(|_| panic!("no {what} among {seen:?}"))
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            let _ = fs::remove_file(path);
        }
    }
}

/// A task that is ready after a time, and ends at a stop, after another.
pub(crate) fn worker(start: Duration, stop: Duration) -> impl Task {
    task_fn("worker", async move |ctx: Context| {
        ctx.set_status("joining the group");
        sleep(start).await;
        ctx.set_status("working");
        ctx.set_ready(true);
        ctx.cancelled().await;
        ctx.set_status("flushing 120");
        sleep(stop).await;
        Ok(())
    })
    .gating_readiness()
}

pub(crate) const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
