//! A register in a file, for replicas on one machine.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
};
use tokio::{task::spawn_blocking, time::sleep};

use crate::{LeaderError, Record, Register, RegisterError, Version, Written, error::Kind};

/// How long to wait for another process that has the file.
const BUSY: Duration = Duration::from_millis(5);

/// A register in a file, for replicas on one machine: processes of a unit, containers with a common
/// volume. Requires the feature `file`, and Unix. Not for NFS or other network file systems.
///
/// The record stands in the file of the path, which is replaced as a whole. Beside it, a file with
/// the extension `lock` is locked (`flock`) for each read-modify-write, and for no longer: a
/// process that is stopped or killed keeps the lease for as long as it is valid, and not the file.
/// Neither file is removed. A process that is stopped within a write, which takes the time of one
/// `fsync`, holds all others up until it goes on.
///
/// Terms are microseconds since 1970, or one more than the last, if that is more: they grow also if
/// the file was removed. The file must not be written by hand.
///
/// Followers read it once per retry.
#[derive(Clone, Debug)]
pub struct FileLock(Arc<Paths>);

#[derive(Debug)]
struct Paths {
    record: PathBuf,
    new: PathBuf,
    lock: PathBuf,
}

impl FileLock {
    /// Creates the access to a register. The file is made by the first leader; its folder has to
    /// exist.
    ///
    /// # Errors
    ///
    /// Fails if the path has no file name.
    pub fn new(path: impl AsRef<Path>) -> Result<Self, LeaderError> {
        let path = path.as_ref();
        let Some(name) = path.file_name() else {
            return Err(Kind::Path(path.display().to_string()).into());
        };
        let beside = |extension: &str| {
            let mut name = name.to_owned();
            name.push(extension);
            path.with_file_name(name)
        };
        let (new, lock) = (beside(".new"), beside(".lock"));
        Ok(Self(Arc::new(Paths { record: path.to_owned(), new, lock })))
    }

    /// Calls `body` on a thread that may block. A call that is dropped meanwhile goes on there.
    async fn blocking<T: Send + 'static>(
        &self,
        body: impl FnOnce(&Paths) -> io::Result<T> + Send + 'static,
    ) -> Result<T, RegisterError> {
        let paths = Arc::clone(&self.0);
        let result = spawn_blocking(move || body(&paths)).await;
        result.unwrap_or_else(|error| Err(io::Error::other(error))).map_err(|error| {
            RegisterError::because(format!("cannot use `{}`", self.0.record.display()), error)
        })
    }
}

impl Register for FileLock {
    async fn read(&mut self) -> Result<Option<(Record, Version)>, RegisterError> {
        // Without the lock: the file is replaced as a whole.
        let record = self.blocking(Paths::read).await?;
        Ok(record.map(|record| (record.clone(), Version::of(&record))))
    }

    async fn write(
        &mut self,
        new: &Record,
        old: Option<&Version>,
    ) -> Result<Written, RegisterError> {
        loop {
            let (new, old) = (new.clone(), old.cloned());
            // No thread waits for the lock: if its holder is stopped, that would be for ever.
            if let Some(written) = self.blocking(move |paths| paths.write(new, old)).await? {
                return Ok(written);
            }
            sleep(BUSY).await;
        }
    }
}

impl Paths {
    fn read(&self) -> io::Result<Option<Record>> {
        match fs::read_to_string(&self.record) {
            Ok(text) => parse(&text).map(Some).ok_or_else(|| {
                io::Error::new(ErrorKind::InvalidData, "it does not have the lines of a record")
            }),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes the record if the file has still this version. Returns `None` if another process has
    /// the file.
    fn write(&self, mut new: Record, old: Option<Version>) -> io::Result<Option<Written>> {
        let lock = OpenOptions::new().write(true).create(true).truncate(false).open(&self.lock)?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        let before = self.read()?;
        if before.as_ref().map(Version::of) != old {
            return Ok(Some(Written::Changed));
        }
        if before.is_none_or(|before| before.term != new.term) {
            new.term = new.term.max(micros());
        }
        let mut file = File::create(&self.new)?;
        file.write_all(format(&new).as_bytes())?;
        // A lease has run out before a machine is up again, but a half-written file would stay.
        file.sync_all()?;
        fs::rename(&self.new, &self.record)?;
        Ok(Some(Written::Ok { version: Version::of(&new), term: new.term }))
    }
}

/// Only how far it has come counts, and not whether it is right.
fn micros() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX >> 1).min(u64::MAX >> 1)
}

fn format(record: &Record) -> String {
    let Record { holder, term, renewals, lease } = record;
    let holder = holder.as_deref().unwrap_or_default().replace(['\n', '\r'], " ");
    format!("task-leader 1\n{term}\n{renewals}\n{}\n{holder}\n", lease.as_millis())
}

fn parse(text: &str) -> Option<Record> {
    let mut lines = text.strip_suffix('\n')?.split('\n');
    if lines.next()? != "task-leader 1" {
        return None;
    }
    let mut number = || lines.next()?.parse().ok();
    let (term, renewals, lease) = (number()?, number()?, number()?);
    let holder = lines.next()?;
    let holder = (!holder.is_empty()).then(|| holder.to_owned());
    Some(Record { holder, term, renewals, lease: Duration::from_millis(lease) })
}
