//! Bound listeners, before there is a runtime: what the constructors acquire.

use std::{
    fmt, io,
    net::{SocketAddr, TcpListener, ToSocketAddrs},
    path::PathBuf,
};

use socket2::{Domain, Socket, Type};

use crate::config::BindError;

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(crate) use unix::UnixSocketFile;

/// A bound listener, ready for [`HttpTask::from_listener`](crate::HttpTask::from_listener): clients can connect and
/// wait from now on. Dropping it frees the address.
///
/// It is made with [`ListenOptions`], or of a listener of the standard library, for one that was inherited (systemd's
/// socket activation) or that needs options which are not offered here.
#[derive(Debug)]
#[must_use = "dropping it frees the address"]
pub struct Listener {
    pub(crate) socket: BoundSocket,
    pub(crate) address: BoundAddress,
}

#[derive(Debug)]
pub(crate) enum BoundSocket {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(std::os::unix::net::UnixListener, Option<UnixSocketFile>),
}

/// Where a listener can be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BoundAddress {
    /// An IP address with its real port.
    Tcp(SocketAddr),
    /// The path of a Unix socket; empty if it has none.
    Unix(PathBuf),
}

impl fmt::Display for BoundAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl Listener {
    /// Returns where it can be reached: with the real port, where port 0 was asked for.
    pub fn address(&self) -> &BoundAddress {
        &self.address
    }
}

impl TryFrom<TcpListener> for Listener {
    type Error = BindError;

    /// Takes over a listener, and makes it non-blocking.
    fn try_from(listener: TcpListener) -> Result<Self, BindError> {
        let named = |source| BindError::new("take over", "a TCP listener", source);
        listener.set_nonblocking(true).map_err(named)?;
        let address = BoundAddress::Tcp(listener.local_addr().map_err(named)?);
        Ok(Self { socket: BoundSocket::Tcp(listener), address })
    }
}

/// How to bind a [`Listener`], where the defaults do not do.
///
/// ```
/// # use task_http::{HttpTask, ListenOptions};
/// # fn main() -> Result<(), task_http::BindError> {
/// let http = HttpTask::from_listener(ListenOptions::default().only_v6(true).bind("[::1]:0")?)?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[must_use = "options do nothing until something is bound"]
pub struct ListenOptions {
    only_v6: bool,
    reuse_port: bool,
    backlog: u16,
    mode: Option<u32>,
}

impl ListenOptions {
    /// Whether a listener on `[::]` takes IPv6 only. If not, it also takes IPv4, and `0.0.0.0` with the same port
    /// cannot be bound beside it. It is always set, since the system's own default is a setting. Default: `false`.
    pub fn only_v6(self, only_v6: bool) -> Self {
        Self { only_v6, ..self }
    }

    /// Whether several sockets, of several processes even, may share the address (`SO_REUSEPORT`). It hides a service
    /// that was started twice. Without effect outside Unix. Default: `false`.
    pub fn reuse_port(self, reuse_port: bool) -> Self {
        Self { reuse_port, ..self }
    }

    /// How many clients may wait to be accepted; the system may have a lower limit. Default: 1024.
    pub fn backlog(self, backlog: u16) -> Self {
        Self { backlog, ..self }
    }

    /// The permissions of a Unix socket's file, such as `0o660`, set before anyone can connect. Default: what the
    /// process's umask leaves.
    pub fn mode(self, mode: u32) -> Self {
        Self { mode: Some(mode), ..self }
    }

    /// Binds a TCP address. A name is resolved first, which blocks; of several addresses the first that can be bound
    /// is taken.
    ///
    /// # Errors
    ///
    /// If the address cannot be resolved or bound; of several, the error is about the last one.
    pub fn bind(&self, address: impl ToSocketAddrs + fmt::Debug) -> Result<Listener, BindError> {
        let resolving = |source| BindError::new("resolve", plain(&address), source);
        let mut last = None;
        for resolved in address.to_socket_addrs().map_err(resolving)? {
            match self.bind_resolved(resolved) {
                Ok(listener) => return listener.try_into(),
                Err(error) => last = Some(BindError::new("bind", resolved.to_string(), error)),
            }
        }
        Err(last.unwrap_or_else(|| resolving(io::ErrorKind::NotFound.into())))
    }

    fn bind_resolved(&self, address: SocketAddr) -> io::Result<TcpListener> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        if address.is_ipv6() {
            socket.set_only_v6(self.only_v6)?;
        }
        // As std does: on Unix a port in TIME_WAIT can be bound; on Windows the option means something else.
        #[cfg(unix)]
        {
            socket.set_reuse_address(true)?;
            socket.set_reuse_port(self.reuse_port)?;
        }
        socket.bind(&address.into())?;
        socket.listen(self.backlog.into())?;
        Ok(socket.into())
    }
}

impl Default for ListenOptions {
    fn default() -> Self {
        Self { only_v6: false, reuse_port: false, backlog: 1024, mode: None }
    }
}

/// A string without the quotes of its `Debug`.
fn plain(address: &impl fmt::Debug) -> String {
    format!("{address:?}").trim_matches('"').to_owned()
}
