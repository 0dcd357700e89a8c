//! Files that are read again while the task runs: credentials and certificates.
//!
//! They are read at an interval and compared as a whole. That sees every way of replacing a file (in place, by a rename,
//! by the symbolic links of a Kubernetes volume) on every file system, and needs no system's notifications.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
    sync::Arc,
    time::Duration,
};

use tokio::{task::spawn_blocking, time::sleep};

use crate::stats::Stats;

/// More than any certificate chain or token has.
const MOST: u64 = 64 * 1024;
/// An interval of nothing would be a loop without end.
const SHORTEST: Duration = Duration::from_millis(10);

/// Something that was made of files.
pub(crate) trait Reload: Send + Sync + 'static {
    /// The word used in metrics and logs.
    fn what(&self) -> &'static str;

    /// Reads the files again, which may block. On an error everything stays as it was.
    fn reload(&self) -> anyhow::Result<Reloaded>;
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reloaded {
    Same,
    Changed,
}

/// Reads them all again, time after time, until dropped.
pub(crate) async fn keep_reloading(
    reloads: Vec<Arc<dyn Reload>>,
    interval: Duration,
    stats: Arc<Stats>,
) {
    let mut faults = vec![String::new(); reloads.len()];
    loop {
        sleep(interval.max(SHORTEST)).await;
        for (reload, last_fault) in reloads.iter().zip(&mut faults) {
            let reading = Arc::clone(reload);
            // A panic, or no result because the runtime is going away, changes nothing.
            let Ok(result) = spawn_blocking(move || reading.reload()).await else { continue };
            let what = reload.what();
            match result {
                Ok(Reloaded::Same) => last_fault.clear(),
                Ok(Reloaded::Changed) => {
                    last_fault.clear();
                    stats.reloaded(what, true);
                    tracing::info!(what, "read again, and changed");
                }
                Err(error) => {
                    let fault = format!("{error:#}");
                    // Once for each fault, not once for each look at it.
                    if *last_fault != fault {
                        stats.reloaded(what, false);
                        tracing::warn!(what, error = fault, "the last good one stays in use");
                        *last_fault = fault;
                    }
                }
            }
        }
    }
}

/// Reads a whole file, if it is not too large to be what it should be.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MOST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "larger than 64 KiB"));
    }
    Ok(bytes)
}
