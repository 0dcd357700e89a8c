//! What a backend is: a register that can be read, and written if it has not changed.

use std::{future::pending, time::Duration};

use crate::RegisterError;

#[cfg(all(feature = "file", unix))]
mod file;
mod memory;
#[cfg(feature = "postgres")]
mod postgres;

#[cfg(all(feature = "file", unix))]
pub use self::file::FileLock;
pub use self::memory::{MemoryFault, MemoryLock};
#[cfg(feature = "postgres")]
pub use self::postgres::RowLock;

/// What stands in the register: who leads, in which term.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The identity of the leader; `None` if it has released the lease.
    pub holder: Option<String>,
    /// The number of the term, which grows from term to term.
    pub term: u64,
    /// How often the record was written in this term. Every write changes the term or this.
    pub renewals: u64,
    /// How long the lease of the holder is valid.
    pub lease: Duration,
}

/// A version of the record, by which a backend knows whether it has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version(String);

impl Version {
    /// Creates a version from the text that the backend knows it by.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns a version for backends that have none of their own. No two writes of a register have
    /// the same one.
    pub fn of(record: &Record) -> Self {
        Self(format!("{}.{}", record.term, record.renewals))
    }
}

/// The answer to a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// The record stands in the register.
    Ok {
        /// Its version.
        version: Version,
        /// Its term, which is that of the record, or a higher one that the backend chose.
        term: u64,
    },
    /// The register has changed, or is no longer there, and nothing was written.
    Changed,
}

/// A register with compare-and-swap: a file, a row, a key. All that a backend is; who leads is
/// decided by this crate.
///
/// # Cancel safety
///
/// A call that takes longer than one attempt may is dropped. Its write may still be applied later,
/// but only if the register has not changed by then. A connection that a dropped call has left with
/// an answer outstanding is not used again.
pub trait Register: Send + 'static {
    /// Returns the record with its version, or `None` if there is none. A stale one is harmless.
    ///
    /// # Errors
    ///
    /// Fails if the register cannot be reached.
    fn read(
        &mut self,
    ) -> impl Future<Output = Result<Option<(Record, Version)>, RegisterError>> + Send;

    /// Writes the record if the register has still the version `old`; with `None`, if there is no
    /// record. A record whose term is not that of the one before begins a term. The backend may
    /// give that a higher number: one that also grows if the record was lost.
    ///
    /// # Errors
    ///
    /// Fails if it is not known whether the record was written.
    fn write(
        &mut self,
        new: &Record,
        old: Option<&Version>,
    ) -> impl Future<Output = Result<Written, RegisterError>> + Send;

    /// Sets how long a call may take before it is dropped. Called before the first one; a backend
    /// can pass it on to a server, so that that does not go on with what nobody waits for. Default:
    /// nothing.
    fn set_limit(&mut self, limit: Duration) {
        let _ = limit;
    }

    /// Waits until the register may have changed since the last read. Followers read it once per
    /// retry in any case, so it only makes them faster. Default: never.
    fn changed(&mut self) -> impl Future<Output = ()> + Send {
        pending()
    }
}
