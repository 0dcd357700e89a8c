//! The descriptors that systemd passed, by their position. `listenfd` makes sockets of them, for
//! which it checks family and type, and sets that they are closed in programs that are executed.

use std::{
    env, io,
    net::{TcpListener, UdpSocket},
    os::{
        fd::AsFd,
        unix::net::{UnixDatagram, UnixListener},
    },
};

use listenfd::ListenFd;
use rustix::net::sockopt::socket_acceptconn;
use task_core::scope::guarded_name;

/// As systemd names a socket for which it has no name.
const UNKNOWN: &str = "unknown";

pub(crate) struct Passed(ListenFd);

impl Default for Passed {
    fn default() -> Self {
        Self(ListenFd::empty())
    }
}

impl std::fmt::Debug for Passed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Passed").field(&self.0.len()).finish()
    }
}

impl Passed {
    /// Reads what was passed, with the name and the position of each.
    pub(crate) fn read() -> (Self, Vec<(String, usize)>) {
        let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
        let passed = ListenFd::from_env();
        let mut names = names.split(':');
        let named = |position| {
            let name = names.next().filter(|name| !name.is_empty()).unwrap_or(UNKNOWN);
            (guarded_name(name), position)
        };
        let named = (0..passed.len()).map(named).collect();
        (Self(passed), named)
    }

    pub(crate) fn tcp(&mut self, position: usize) -> io::Result<TcpListener> {
        let listener = there(self.0.take_tcp_listener(position)?)?;
        listener.set_nonblocking(true)?;
        listens(&listener)?;
        Ok(listener)
    }

    pub(crate) fn unix(&mut self, position: usize) -> io::Result<UnixListener> {
        let listener = there(self.0.take_unix_listener(position)?)?;
        listener.set_nonblocking(true)?;
        listens(&listener)?;
        Ok(listener)
    }

    pub(crate) fn udp(&mut self, position: usize) -> io::Result<UdpSocket> {
        let socket = there(self.0.take_udp_socket(position)?)?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    }

    pub(crate) fn unix_datagram(&mut self, position: usize) -> io::Result<UnixDatagram> {
        let socket = there(self.0.take_unix_datagram(position)?)?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    }
}

fn there<T>(socket: Option<T>) -> io::Result<T> {
    socket.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
}

fn listens(socket: impl AsFd) -> io::Result<()> {
    if socket_acceptconn(socket)? {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, "the socket does not listen"))
}
