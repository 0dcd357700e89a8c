//! Files that are read again while the task runs: credentials and certificates.
//!
//! A file is read at an interval and compared as a whole. This sees every way of replacing a file
//! (in place, by a rename, by the symbolic links of a Kubernetes volume) on every file system, and
//! needs no notification from the system. The loop itself is in `serve/reload.rs`.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

/// More bytes than any certificate chain or token has.
const MAX_FILE_BYTES: u64 = 64 * 1024;

/// A value that is made from files, and made again when they change.
pub(crate) trait Reload: Send + Sync + 'static {
    /// Returns the word for the files in metrics and logs.
    fn what(&self) -> &'static str;

    /// Reads the files again, which may block. On an error the current value stays in use.
    fn reload(&self) -> anyhow::Result<Reloaded>;
}

/// The result of a reload that succeeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reloaded {
    /// The files are the same as before.
    Same,
    /// The new value is in use.
    Changed,
}

/// Reads a whole file.
///
/// # Errors
///
/// If the file cannot be read, or has more than 64 KiB.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "larger than 64 KiB"));
    }
    Ok(bytes)
}
