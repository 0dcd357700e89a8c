//! Files that are read again while the task runs: credentials and certificates.
//!
//! A file is read at an interval and compared as a whole. This sees every way of replacing a file
//! (in place, by a rename, by the symbolic links of a Kubernetes volume) on every file system, and
//! needs no notification from the system.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
    sync::Arc,
    time::Duration,
};

use task_core::scope::guarded_text;
use tokio::{task::spawn_blocking, time::sleep};

/// More bytes than any certificate chain or token has.
const MAX_FILE_BYTES: u64 = 64 * 1024;

/// A value that is made from files, and made again when they change.
pub trait Reload: Send + Sync + 'static {
    /// Returns the word for the files in metrics and logs.
    fn what(&self) -> &'static str;

    /// Reads the files again, which may block. On an error the current value stays in use.
    fn reload(&self) -> anyhow::Result<Reloaded>;
}

/// The result of a reload that succeeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reloaded {
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
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "larger than 64 KiB"));
    }
    Ok(bytes)
}

/// Reads all files again at each interval, until dropped. Changes and faults are logged, and given
/// to `count` with the word for the files and whether the new value was taken.
pub async fn run(
    reloads: Vec<Arc<dyn Reload>>,
    interval: Duration,
    count: impl Fn(&'static str, bool),
) {
    let mut last_faults = vec![String::new(); reloads.len()];
    loop {
        sleep(interval).await;
        for (reload, last_fault) in reloads.iter().zip(&mut last_faults) {
            let reading = Arc::clone(reload);
            // An error is a panic, or the end of the runtime. The current value stays in use.
            let Ok(result) = spawn_blocking(move || reading.reload()).await else { continue };
            let what = reload.what();
            match result {
                Ok(Reloaded::Same) => last_fault.clear(),
                Ok(Reloaded::Changed) => {
                    last_fault.clear();
                    count(what, true);
                    tracing::info!(what, "reloaded files that changed");
                }
                Err(error) => {
                    let fault = guarded_text(format_args!("{error:#}"));
                    // A fault that persists is reported once, not at each interval.
                    if *last_fault != fault {
                        count(what, false);
                        tracing::warn!(
                            what,
                            error = fault,
                            "failed to reload files, the last good ones stay in use"
                        );
                        *last_fault = fault;
                    }
                }
            }
        }
    }
}
