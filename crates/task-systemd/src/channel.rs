//! What the task, its handles and the watchdog share: the machine, and the messages on their way.
//!
//! One lock. Everything under it is short: messages are sent without blocking, and the group's view
//! calls no foreign code. The group is looked at under it, so that of two looks the later one has
//! the later word.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use task_core::{Group, Step};
use tracing::warn;

use crate::{
    message::Message,
    outbox::Outbox,
    platform::{Descriptor, NotifySocket, monotonic_micros},
    protocol::{Details, Extending, Protocol, Seen},
    status::describe,
};

/// When to try again to send what could not be sent.
const RETRY: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(crate) struct Channel {
    socket: NotifySocket,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    protocol: Protocol,
    outbox: Outbox,
    /// The failure of the last reload, which the status has at its end.
    reload_failure: Option<String>,
    /// The group, once the task runs.
    group: Option<Group>,
    /// Whether systemd was asked to confirm what was said last.
    has_last_barrier: bool,
}

impl Channel {
    pub(crate) fn new(socket: NotifySocket) -> Self {
        Self { socket, state: Mutex::default() }
    }

    /// Begins to report on a group.
    pub(crate) fn attach(&self, group: Group, extending: Extending) {
        let mut state = self.lock();
        state.protocol = Protocol::new(extending);
        state.group = Some(group);
    }

    /// Looks at the group, and says what there is to say. Returns when to look again even if
    /// nothing changes. Logs nothing, for the thread that must not: see [`report`](Self::report).
    pub(crate) fn look(&self, now: Instant, stall: Option<Duration>) -> Option<Instant> {
        let group = self.lock().group.clone()?;
        let mut failures = None;
        let (mut state, seen) = loop {
            if group.step() == Step::Ended {
                // Not under the lock, since the text of an error is foreign code.
                failures = Some(self::failures(&group));
            }
            let state = self.lock();
            let seen = seen(&group, state.protocol.has_been_ready());
            // Otherwise it has ended in between.
            if failures.is_some() || seen < Seen::Ended {
                break (state, seen);
            }
        };
        let State { protocol, outbox, reload_failure, .. } = &mut *state;
        let step = protocol.look(now, seen, stall.is_some(), || {
            details(&group, failures.as_deref(), reload_failure.as_deref(), stall)
        });
        step.messages.into_iter().for_each(|message| outbox.push(message, None));
        let is_sent = self.flush(outbox);
        let retry = (!is_sent).then(|| now + RETRY);
        // Nothing is seen of it any more, and it may be the last reference to the group's records,
        // whose values have drops of their own.
        let ended = protocol.has_ended().then(|| state.group.take());
        drop(state);
        drop((ended, group));
        step.again.into_iter().chain(retry).min()
    }

    /// Says that the service is alive. A message that cannot be sent is dropped: the next follows.
    pub(crate) fn beat(&self) {
        let _ = self.socket.send(Message::watchdog().text(), None);
    }

    /// Says one thing, with a descriptor if there is one.
    pub(crate) fn say(&self, message: Message, descriptor: Option<Descriptor>) {
        let mut state = self.lock();
        state.outbox.push(message, descriptor);
        self.flush(&mut state.outbox);
        drop(state);
        self.report();
    }

    /// Begins a reload. Returns whether it is announced.
    pub(crate) fn begin_reload(&self) -> bool {
        let mut state = self.lock();
        let (message, is_announced) = state.protocol.begin_reload(monotonic_micros);
        message.into_iter().for_each(|message| state.outbox.push(message, None));
        self.flush(&mut state.outbox);
        drop(state);
        self.report();
        is_announced
    }

    /// Ends a reload, with its failure if it failed.
    pub(crate) fn end_reload(&self, is_announced: bool, failure: Option<String>) {
        let mut state = self.lock();
        state.reload_failure = failure;
        if is_announced {
            let State { protocol, outbox, reload_failure, group, .. } = &mut *state;
            let status = group
                .as_ref()
                .map(|group| details(group, None, reload_failure.as_deref(), None).status);
            let message = protocol.end_reload(status.as_deref());
            message.into_iter().for_each(|message| outbox.push(message, None));
            self.flush(outbox);
        }
        drop(state);
        self.report();
    }

    /// Waits until systemd has read all that was sent.
    pub(crate) fn barrier(&self, timeout: Duration) -> bool {
        let is_sent = self.flush(&mut self.lock().outbox);
        is_sent && !timeout.is_zero() && self.socket.barrier(timeout).unwrap_or(false)
    }

    /// As [`barrier`](Self::barrier), for what is said last: systemd is asked for it once.
    pub(crate) fn last_barrier(&self, timeout: Duration) {
        let mut state = self.lock();
        if state.has_last_barrier || !self.flush(&mut state.outbox) {
            return;
        }
        state.has_last_barrier = true;
        drop(state);
        if self.socket.barrier(timeout).is_err() {
            // It could not be asked: the next beat tries again.
            self.lock().has_last_barrier = false;
        }
    }

    /// Logs what went wrong since the last call: one line for an outage, and one for messages that
    /// were dropped.
    pub(crate) fn report(&self) {
        let (failure, dropped) = self.lock().outbox.take_faults();
        if let Some(error) = failure {
            warn!(error, "systemd does not take messages, they are sent later");
        }
        if dropped > 0 {
            warn!(dropped, "systemd took no messages for so long that some were dropped");
        }
    }

    fn flush(&self, outbox: &mut Outbox) -> bool {
        outbox.flush(|message, descriptor| self.socket.send(message.text(), descriptor))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `has_been_ready` spares the costlier question.
fn seen(group: &Group, has_been_ready: bool) -> Seen {
    match group.step() {
        Step::Running if has_been_ready || group.readiness().has_started => Seen::Ready,
        Step::Running => Seen::Starting,
        Step::Ended => Seen::Ended,
        _ => Seen::Stopping,
    }
}

/// The texts of what went wrong, oldest first.
fn failures(group: &Group) -> Vec<String> {
    let events = group.events().into_iter().filter(|event| event.is_failure);
    events.map(|event| event.text).collect()
}

fn details(
    group: &Group,
    failures: Option<&[String]>,
    reload_failure: Option<&str>,
    stall: Option<Duration>,
) -> Details {
    let snapshot = group.snapshot();
    let mut status = describe(&snapshot, failures);
    if let Some(stall) = stall {
        status = format!("the runtime is blocked for {} s; {status}", stall.as_secs());
    }
    if let Some(failure) = reload_failure {
        status = format!("{status}; the last reload failed: {failure}");
    }
    Details { status, remaining: snapshot.remaining }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::{
        io::ErrorKind,
        os::{
            linux::net::SocketAddrExt as _,
            unix::net::{SocketAddr, UnixDatagram},
        },
        process,
        sync::Arc,
        thread,
        time::Instant,
    };

    use anyhow::bail;
    use task_core::task_fn;
    use task_manager::Manager;

    use super::Channel;
    use crate::{platform::NotifySocket, protocol::Extending};

    #[tokio::test]
    async fn the_last_status_has_the_failures_also_of_a_group_that_ends_during_a_look() {
        let name = format!("task-systemd-channel-{}", process::id());
        let systemd = SocketAddr::from_abstract_name(&name).unwrap();
        let systemd = UnixDatagram::bind_addr(&systemd).unwrap();
        systemd.set_nonblocking(true).unwrap();
        for _ in 0..500 {
            let socket = NotifySocket::open(format!("@{name}").as_ref()).unwrap().unwrap();
            let channel = Arc::new(Channel::new(socket));
            let manager = Manager::new();
            channel.attach(manager.group(), Extending::default());
            manager.run(task_fn("worker", async |_ctx| bail!("the disk is full"))).unwrap();
            let looking = thread::spawn(move || {
                while channel.lock().group.is_some() {
                    channel.look(Instant::now(), None);
                }
            });
            assert!(manager.wait().await.is_err(), "a task failed");
            looking.join().unwrap();
            let mut last = String::new();
            let mut bytes = [0; 4096];
            loop {
                match systemd.recv(&mut bytes) {
                    Ok(length) => last = String::from_utf8_lossy(&bytes[..length]).into_owned(),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => panic!("{error}"),
                }
            }
            assert!(last.contains("failed: task `worker` failed: the disk is full"), "{last}");
        }
    }
}
