//! Listeners that are bound before the task runs, and before there is a runtime.

use std::{
    fmt, io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs},
    path::PathBuf,
};

use socket2::{Domain, Socket, Type};

use crate::BindError;

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(crate) use unix::UnixSocketFile;

/// A bound listener, which a task serves on.
///
/// Clients can connect from now on; they are served once the task runs. Dropping the listener frees
/// the address.
///
/// A listener is made with [`ListenOptions`], or converted from one of the standard library: one
/// that was inherited (systemd's socket activation), or one with options that are not offered here.
///
/// # Examples
///
/// ```
/// use task_listen::{BoundAddress, Listener};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let inherited = std::net::TcpListener::bind("127.0.0.1:0")?;
/// let listener = Listener::try_from(inherited)?;
/// assert!(matches!(listener.address(), BoundAddress::Tcp(address) if address.port() != 0));
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use = "dropping it frees the address"]
pub struct Listener {
    pub(crate) socket: BoundSocket,
    pub(crate) address: BoundAddress,
}

/// The socket of a [`Listener`], still without a runtime.
#[derive(Debug)]
pub(crate) enum BoundSocket {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(std::os::unix::net::UnixListener, Option<UnixSocketFile>),
}

/// The address of a listener.
///
/// It displays as the address that a client would use: `127.0.0.1:9090`, or `unix:` and the path.
///
/// # Examples
///
/// ```
/// use task_listen::BoundAddress;
///
/// let address = BoundAddress::Unix("/run/orders/http.sock".into());
/// assert_eq!(address.to_string(), "unix:/run/orders/http.sock");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BoundAddress {
    /// An IP address and a port: the real one where port 0 was asked for.
    Tcp(SocketAddr),
    /// The path of a Unix socket. Empty if the socket has none.
    Unix(PathBuf),
}

impl BoundAddress {
    /// Returns whether only this machine can connect to it: loopback, or a Unix socket.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Tcp(address) => address.ip().to_canonical().is_loopback(),
            Self::Unix(_) => true,
        }
    }
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
    /// Returns the address, with the real port where port 0 was asked for.
    pub fn address(&self) -> &BoundAddress {
        &self.address
    }
}

impl TryFrom<TcpListener> for Listener {
    type Error = BindError;

    /// Takes over a listener of the standard library, and makes it non-blocking.
    ///
    /// # Errors
    ///
    /// If the system refuses that.
    fn try_from(listener: TcpListener) -> Result<Self, BindError> {
        let named = |source| BindError::new("take over", "a TCP listener", source);
        listener.set_nonblocking(true).map_err(named)?;
        let address = BoundAddress::Tcp(listener.local_addr().map_err(named)?);
        Ok(Self { socket: BoundSocket::Tcp(listener), address })
    }
}

/// Options for binding a [`Listener`].
///
/// # Examples
///
/// ```
/// use task_listen::ListenOptions;
///
/// # fn main() -> Result<(), task_listen::BindError> {
/// let listener = ListenOptions::default().only_v6(true).backlog(64).bind("[::1]:0")?;
/// println!("listening on {}", listener.address());
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[must_use = "options do nothing until something is bound"]
pub struct ListenOptions {
    only_v6: bool,
    backlog: u16,
    #[cfg(unix)]
    reuse_port: bool,
    #[cfg(unix)]
    mode: Option<u32>,
}

impl ListenOptions {
    /// Sets whether a listener on `[::]` accepts IPv6 only. Default: `false`.
    ///
    /// If it is `false`, the listener accepts IPv4 too, and `0.0.0.0` cannot be bound with the same
    /// port. The option is always set on the socket, so a setting of the system does not matter.
    pub fn only_v6(self, only_v6: bool) -> Self {
        Self { only_v6, ..self }
    }

    /// Sets whether several sockets, also of several processes, may share the address
    /// (`SO_REUSEPORT`). Unix only. Default: `false`.
    ///
    /// If it is `true`, a service that is started twice by mistake is not noticed.
    #[cfg(unix)]
    pub fn reuse_port(self, reuse_port: bool) -> Self {
        Self { reuse_port, ..self }
    }

    /// Sets how many clients may wait to be accepted. The system may have a lower limit. Default:
    /// 1024.
    pub fn backlog(self, backlog: u16) -> Self {
        Self { backlog, ..self }
    }

    /// Sets the permissions of the file of a Unix socket, such as `0o660`. They are set before a
    /// client can connect. Unix only. Default: those that the umask of the process leaves.
    #[cfg(unix)]
    pub fn mode(self, mode: u32) -> Self {
        Self { mode: Some(mode), ..self }
    }

    /// Binds a TCP address, such as `"0.0.0.0:9090"`, and listens.
    ///
    /// A name is resolved first, which blocks; of its addresses, the first that can be bound is
    /// taken. `":9090"` is short for `"[::]:9090"`: every address of the machine, IPv6 and IPv4.
    /// Where the system has no IPv6, `[::]` falls back to `0.0.0.0` with a warning in the log,
    /// unless [`only_v6`](Self::only_v6) is set. This works outside of a runtime.
    ///
    /// # Errors
    ///
    /// If the address cannot be resolved or bound. Of several addresses, the error is about the
    /// last one.
    ///
    /// # Examples
    ///
    /// ```
    /// use task_listen::{BoundAddress, ListenOptions};
    ///
    /// # fn main() -> Result<(), task_listen::BindError> {
    /// let listener = ListenOptions::default().backlog(64).bind("127.0.0.1:0")?;
    /// assert!(matches!(listener.address(), BoundAddress::Tcp(address) if address.port() != 0));
    /// # Ok(()) }
    /// ```
    pub fn bind(&self, address: impl ToSocketAddrs + fmt::Debug) -> Result<Listener, BindError> {
        let resolving = |source| BindError::new("resolve", plain(&address), source);
        let port = plain(&address).strip_prefix(':').and_then(|port| port.parse().ok());
        let resolved: Vec<SocketAddr> = match port {
            Some(port) => vec![(Ipv6Addr::UNSPECIFIED, port).into()],
            None => address.to_socket_addrs().map_err(resolving)?.collect(),
        };
        let mut last = None;
        for resolved in resolved {
            match self.with_fallback(resolved, |address| self.bind_resolved(address)) {
                Ok(listener) => return listener.try_into(),
                Err(error) => last = Some(BindError::new("bind", resolved.to_string(), error)),
            }
        }
        Err(last.unwrap_or_else(|| resolving(io::ErrorKind::NotFound.into())))
    }

    /// Binds one address by `bind`: `0.0.0.0` in place of `[::]` where there is no IPv6.
    fn with_fallback<T>(
        &self,
        address: SocketAddr,
        bind: impl Fn(SocketAddr) -> io::Result<T>,
    ) -> io::Result<T> {
        let error = match bind(address) {
            Err(error) if address.ip() == Ipv6Addr::UNSPECIFIED && !self.only_v6 => error,
            result => return result,
        };
        // These would be the same with IPv4. The error that is due to a system without IPv6 has no
        // kind of its own, and another number on each system.
        if matches!(error.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied) {
            return Err(error);
        }
        let bound = bind((Ipv4Addr::UNSPECIFIED, address.port()).into())?;
        tracing::warn!(%error, port = address.port(), "no IPv6 here, listening on IPv4 alone");
        Ok(bound)
    }

    /// Binds one address, with all options set before the bind.
    fn bind_resolved(&self, address: SocketAddr) -> io::Result<TcpListener> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        if address.is_ipv6() {
            socket.set_only_v6(self.only_v6)?;
        }
        // As the standard library does: on Unix, a port in TIME_WAIT can be bound. On Windows the
        // option has another meaning.
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
        Self {
            only_v6: false,
            backlog: 1024,
            #[cfg(unix)]
            reuse_port: false,
            #[cfg(unix)]
            mode: None,
        }
    }
}

/// Returns the text of an address, without the quotes that the `Debug` of a string has.
fn plain(address: &impl fmt::Debug) -> String {
    format!("{address:?}").trim_matches('"').to_owned()
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    };

    use super::ListenOptions;

    /// Binds on a system without IPv6, which the machine that tests may not be.
    fn without_v6(address: SocketAddr) -> io::Result<SocketAddr> {
        if address.is_ipv6() { Err(io::Error::from_raw_os_error(97)) } else { Ok(address) }
    }

    #[test]
    fn without_ipv6_every_address_means_every_ipv4_address() {
        let options = ListenOptions::default();
        let bound = options.with_fallback((Ipv6Addr::UNSPECIFIED, 9090).into(), without_v6);
        assert!(bound.is_ok_and(|bound| bound == (Ipv4Addr::UNSPECIFIED, 9090).into()));
        // What asks for IPv6 itself gets the error.
        assert!(options.with_fallback((Ipv6Addr::LOCALHOST, 9090).into(), without_v6).is_err());
        let only_v6 = options.only_v6(true);
        assert!(only_v6.with_fallback((Ipv6Addr::UNSPECIFIED, 9090).into(), without_v6).is_err());
    }

    #[test]
    fn an_address_in_use_is_not_taken_as_a_lack_of_ipv6() {
        let in_use = |address: SocketAddr| {
            if address.is_ipv6() { Err(io::ErrorKind::AddrInUse.into()) } else { Ok(address) }
        };
        let bound =
            ListenOptions::default().with_fallback((Ipv6Addr::UNSPECIFIED, 9090).into(), in_use);
        assert!(bound.is_err_and(|error| error.kind() == io::ErrorKind::AddrInUse));
    }
}
