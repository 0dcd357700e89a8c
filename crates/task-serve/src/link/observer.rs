//! What the stream of a connection reports to its state.

use std::{io, sync::atomic::Ordering, task::Context};

use task_listen::{Direction, IoEvents, Slot};

use super::{Link, State, lock};

/// The stream of the connection keeps its slot, also once it has left HTTP.
#[derive(Debug)]
pub(crate) struct Observer(pub(crate) Slot<Link>);

impl IoEvents for Observer {
    fn received(&self, bytes: &[u8]) {
        match self.0.state() {
            State::Fresh if bytes.starts_with(b"PRI") => {
                self.0.is_http2.store(true, Ordering::Relaxed);
                self.0.enter(State::Idle);
            }
            State::Fresh => self.0.state.store(State::Header as u8, Ordering::Release),
            State::Idle if !self.0.is_http2() => self.0.enter(State::Header),
            _ => {}
        }
    }

    fn sent(&self, _count: usize) {
        self.0.blocked.store(0, Ordering::Relaxed);
    }

    fn blocked(&self) {
        if self.0.blocked.load(Ordering::Relaxed) == 0 {
            self.0.blocked.store(self.0.now().max(1), Ordering::Relaxed);
        }
    }

    fn flushed(&self) {
        self.0.blocked.store(0, Ordering::Relaxed);
        if self.0.state() == State::Sending {
            lock(&self.0.exchanges).clear();
            self.0.enter(State::Idle);
        }
    }

    fn usable(&self, cx: &Context<'_>, direction: Direction) -> io::Result<()> {
        let link = &self.0;
        let check = || match link.close.get() {
            0 => Ok(()),
            _ => Err(io::Error::new(io::ErrorKind::ConnectionAborted, "the server has stopped")),
        };
        if link.state() != State::Upgraded {
            return check();
        }
        // Checked under the lock that a cut takes after it has raised the level, so that one of the
        // two sees the other.
        let mut upgrade = lock(&link.upgrade);
        check()?;
        let waker = match direction {
            Direction::Read => &mut upgrade.reader,
            Direction::Write => &mut upgrade.writer,
        };
        match waker {
            Some(waker) => waker.clone_from(cx.waker()),
            None => *waker = Some(cx.waker().clone()),
        }
        Ok(())
    }
}
