//! Unix sockets: a stale file is replaced, a live one is not, and the own file is removed.

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
use crate::BindError;

impl ListenOptions {
    /// Binds a Unix socket, and listens.
    ///
    /// A socket file without a listener, whose owner was killed, is replaced. The new file is
    /// removed when the listener is closed, unless another one has replaced it by then. Two
    /// services that start on the same path at the same instant are not distinguished.
    ///
    /// # Errors
    ///
    /// If another listener uses the path, if it is a file of another kind, or if it cannot be
    /// bound.
    ///
    /// # Examples
    ///
    /// ```
    /// use task_listen::ListenOptions;
    ///
    /// # fn main() -> Result<(), task_listen::BindError> {
    /// # let path = std::env::temp_dir().join(format!("task-listen-mode-{}.sock", std::process::id()));
    /// // Readable and writable for the group of the process alone.
    /// let listener = ListenOptions::default().mode(0o660).bind_unix(&path)?;
    /// assert!(ListenOptions::default().bind_unix(&path).unwrap_err().is_in_use());
    /// # Ok(()) }
    /// ```
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

    /// Binds a path, after removing a stale file, and remembers the new file.
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
        // Before `listen`, since no client can connect until then.
        if let Some(mode) = self.mode {
            fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
        }
        socket.listen(self.backlog.into())?;
        Ok((socket.into(), file))
    }
}

/// Returns whether the path is a socket whose owner has gone: it refuses connections. A socket that
/// is bound and not yet listened on refuses them too.
fn is_stale(path: &Path, address: &SockAddr) -> bool {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|meta| meta.file_type().is_socket());
    // Non-blocking, since the connect would wait if the queue of a live listener is full.
    let connected = || {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket.connect(address)
    };
    is_socket && connected().is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

/// The file of a Unix socket that was bound here. The drop removes it if it is still the same file.
#[derive(Debug)]
pub(crate) struct UnixSocketFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl UnixSocketFile {
    /// Remembers the file by device and inode, since its path can be taken by another file.
    fn new(path: &Path) -> io::Result<Self> {
        let meta = fs::symlink_metadata(path)?;
        // Absolute, since the process may change its working directory.
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

    /// Takes over a listener of the standard library, and makes it non-blocking. Its file is not
    /// removed when the listener is closed.
    ///
    /// # Errors
    ///
    /// If the system refuses that.
    fn try_from(listener: UnixListener) -> Result<Self, BindError> {
        let named = |source| BindError::new("take over", "a Unix listener", source);
        listener.set_nonblocking(true).map_err(named)?;
        let address = listener.local_addr().map_err(named)?;
        let path = address.as_pathname().map(Path::to_owned).unwrap_or_default();
        Ok(Self { socket: BoundSocket::Unix(listener, None), address: BoundAddress::Unix(path) })
    }
}
