//! Unix sockets: a stale file is replaced, a live one is respected, our own is removed.

use std::{
    fs, io,
    os::unix::{
        fs::{FileTypeExt, MetadataExt, PermissionsExt},
        net::UnixListener,
    },
    path::{Path, PathBuf},
};

use socket2::{Domain, SockAddr, Socket, Type};

use super::{BoundAddress, BoundSocket, ListenOptions, Listener};
use crate::config::BindError;

impl ListenOptions {
    /// Binds a Unix socket. A socket file that nobody listens on (its owner was killed) is replaced. The file is
    /// removed when the listener is closed, unless it was replaced in the meantime.
    ///
    /// # Errors
    ///
    /// If the path is in use by a living listener, is a file of another kind, or cannot be bound.
    pub fn bind_unix(&self, path: impl AsRef<Path>) -> Result<Listener, BindError> {
        let path = path.as_ref();
        let named = |source| BindError::new("bind", format!("unix:{}", path.display()), source);
        let (listener, file) = self.bind_path(path).map_err(named)?;
        listener.set_nonblocking(true).map_err(named)?;
        Ok(Listener {
            socket: BoundSocket::Unix(listener, Some(file)),
            address: BoundAddress::Unix(path.to_owned()),
        })
    }

    fn bind_path(&self, path: &Path) -> io::Result<(UnixListener, UnixSocketFile)> {
        let address = SockAddr::unix(path)?;
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        match socket.bind(&address) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_stale(path, &address) => {
                fs::remove_file(path)?;
                socket.bind(&address)?;
            }
            bound => bound?,
        }
        let file = UnixSocketFile::new(path)?;
        // Before `listen`: nobody can connect until then.
        if let Some(mode) = self.mode {
            fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
        }
        socket.listen(self.backlog.into())?;
        Ok((socket.into(), file))
    }
}

/// A socket whose owner is gone refuses connections. One that is bound and not yet listened on does so too: two
/// services that start on one path in the same instant are not told apart.
fn is_stale(path: &Path, address: &SockAddr) -> bool {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|meta| meta.file_type().is_socket());
    // A living owner whose queue is full would let us wait in it.
    let connected = || {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket.connect(address)
    };
    is_socket && connected().is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

/// The file of a Unix socket that we bound: removed when dropped, if it is still the same one.
#[derive(Debug)]
pub(crate) struct UnixSocketFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl UnixSocketFile {
    fn new(path: &Path) -> io::Result<Self> {
        let meta = fs::symlink_metadata(path)?;
        // The path as it is now: the process may change its directory.
        let path = std::path::absolute(path)?;
        Ok(Self { path, device: meta.dev(), inode: meta.ino() })
    }
}

impl Drop for UnixSocketFile {
    fn drop(&mut self) {
        let is_ours = fs::symlink_metadata(&self.path)
            .is_ok_and(|meta| meta.dev() == self.device && meta.ino() == self.inode);
        if is_ours {
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl TryFrom<UnixListener> for Listener {
    type Error = BindError;

    /// Takes over a listener, and makes it non-blocking. Its file is left where it is.
    fn try_from(listener: UnixListener) -> Result<Self, BindError> {
        let named = |source| BindError::new("take over", "a Unix listener", source);
        listener.set_nonblocking(true).map_err(named)?;
        let address = listener.local_addr().map_err(named)?;
        let path = address.as_pathname().map(Path::to_owned).unwrap_or_default();
        Ok(Self { socket: BoundSocket::Unix(listener, None), address: BoundAddress::Unix(path) })
    }
}
