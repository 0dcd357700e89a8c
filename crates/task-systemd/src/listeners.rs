//! The sockets that systemd passes, by name.

#[cfg(unix)]
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::{
    io,
    net::{TcpListener, UdpSocket},
};

use tracing::warn;

use crate::error::{ErrorKind, SystemdError};

#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod other;

#[cfg(target_os = "linux")]
use linux::Passed;
#[cfg(not(target_os = "linux"))]
use other::Passed;

/// The sockets that systemd passes to the service: those of its socket units, and those that it
/// kept because an earlier process [stored](crate::Notifier::store) them.
///
/// Each has a name: that of the socket unit (`FileDescriptorName=`, by default the unit's full name
/// with its ending `.socket`), or that under which it was stored. Sockets are taken by name and
/// type, and are set to non-blocking, as Tokio wants them. One that was passed and not taken is an
/// error of [`finish`](Self::finish), since its clients would wait for ever.
///
/// # Examples
///
/// The passed socket, or one of our own where systemd passes none:
///
/// ```
/// use std::net::TcpListener;
/// use task_systemd::Listeners;
///
/// # fn main() -> anyhow::Result<()> {
/// let mut listeners = Listeners::from_systemd();
/// let http = match listeners.tcp("http")? {
///     Some(listener) => listener,
///     None => TcpListener::bind("127.0.0.1:0")?,
/// };
/// listeners.finish()?;
/// # Ok(()) }
/// ```
///
/// `HttpTask` of `task-http` takes it by `Listener::try_from(http)`.
#[derive(Debug, Default)]
#[must_use = "sockets that are not taken are not served"]
pub struct Listeners {
    /// What was not taken: the name, and where it is.
    left: Vec<(String, usize)>,
    passed: Passed,
}

impl Listeners {
    /// Takes over the sockets that were passed to this process by `LISTEN_FDS`, `LISTEN_PID` and
    /// `LISTEN_FDNAMES`. Where there are none it has none, as in every later call: the first one
    /// removes `LISTEN_FDS` and `LISTEN_PID` from the environment, so that a child process does not
    /// take them for its own.
    ///
    /// Call it early in `main`: no other thread of the process may read the environment by other
    /// means than Rust's standard library at that moment, since that is not safe while a variable
    /// is removed.
    pub fn from_systemd() -> Self {
        let (passed, left) = Passed::read();
        Self { left, passed }
    }

    /// Returns the names of the sockets that were passed and not taken, in the order in which they
    /// were passed.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.left.iter().map(|(name, _)| name.as_str())
    }

    /// Takes the first TCP listener of this name that is left. `None` if no socket of the name is.
    ///
    /// # Errors
    ///
    /// If the socket of that name is no TCP socket, or does not listen, as with `Accept=yes`.
    pub fn tcp(&mut self, name: &str) -> Result<Option<TcpListener>, SystemdError> {
        self.take(name, "a TCP socket that listens", Passed::tcp)
    }

    /// Takes the first listener on a Unix socket of this name that is left. `None` if no socket of
    /// the name is.
    ///
    /// # Errors
    ///
    /// If the socket of that name is no Unix stream socket, or does not listen.
    #[cfg(unix)]
    pub fn unix(&mut self, name: &str) -> Result<Option<UnixListener>, SystemdError> {
        self.take(name, "a Unix stream socket that listens", Passed::unix)
    }

    /// Takes the first UDP socket of this name that is left. `None` if no socket of the name is.
    ///
    /// # Errors
    ///
    /// If the socket of that name is no UDP socket.
    pub fn udp(&mut self, name: &str) -> Result<Option<UdpSocket>, SystemdError> {
        self.take(name, "a UDP socket", Passed::udp)
    }

    /// Takes the first Unix datagram socket of this name that is left. `None` if no socket of the
    /// name is.
    ///
    /// # Errors
    ///
    /// If the socket of that name is no Unix datagram socket.
    #[cfg(unix)]
    pub fn unix_datagram(&mut self, name: &str) -> Result<Option<UnixDatagram>, SystemdError> {
        self.take(name, "a Unix datagram socket", Passed::unix_datagram)
    }

    /// Ends the taking of sockets.
    ///
    /// # Errors
    ///
    /// If sockets were passed that were not taken; the message has their names. They stay open.
    pub fn finish(mut self) -> Result<(), SystemdError> {
        let left = std::mem::take(&mut self.left);
        if left.is_empty() {
            return Ok(());
        }
        let names: Vec<_> = left.into_iter().map(|(name, _)| format!("`{name}`")).collect();
        Err(ErrorKind::Unused { names: names.join(", ") }.into())
    }

    fn take<T>(
        &mut self,
        name: &str,
        wanted: &'static str,
        take: fn(&mut Passed, usize) -> io::Result<T>,
    ) -> Result<Option<T>, SystemdError> {
        let Some(at) = self.left.iter().position(|(left, _)| left == name) else { return Ok(None) };
        let socket = take(&mut self.passed, self.left[at].1).map_err(|source| {
            ErrorKind::Socket { name: self.left[at].0.clone(), wanted, source }
        })?;
        self.left.remove(at);
        Ok(Some(socket))
    }
}

impl Drop for Listeners {
    /// Logs a warning for sockets that were not taken, where [`finish`](Self::finish) was not
    /// called.
    fn drop(&mut self) {
        if !self.left.is_empty() {
            let names: Vec<_> = self.names().collect();
            warn!(?names, "sockets that systemd passed are not used");
        }
    }
}
