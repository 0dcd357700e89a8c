//! A register in memory, with faults, for tests.

use std::{
    future::pending,
    sync::{Arc, Mutex},
};

use task_core::scope::Level;

use crate::{Record, Register, RegisterError, Version, Written, sync::lock};

/// A register in memory, for tests and for a service that has one replica. A clone is another
/// replica's access to the same register, with faults of its own.
///
/// # Examples
///
/// ```
/// use task_leader::{MemoryLock, leading};
///
/// let lock = MemoryLock::new();
/// let one = leading("purge", lock.clone(), async |_term, _ctx| Ok(()));
/// let other = leading("purge", lock.replica(), async |_term, _ctx| Ok(()));
/// lock.set_fault(None); // one of `MemoryFault` to try a failure
/// # drop((one, other));
/// ```
#[derive(Clone, Debug)]
pub struct MemoryLock {
    cell: Arc<Cell>,
    fault: Arc<Mutex<Option<MemoryFault>>>,
    seen: u64,
}

#[derive(Debug, Default)]
struct Cell {
    record: Mutex<Option<Record>>,
    /// How often it was written.
    writes: Level,
}

/// What goes wrong with each call of a replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MemoryFault {
    /// It fails at once.
    Away,
    /// It never returns.
    Hangs,
    /// It does what it should, and then never returns.
    LosesAnswers,
}

impl MemoryLock {
    /// Creates an empty register.
    pub fn new() -> Self {
        Self { cell: Arc::default(), fault: Arc::default(), seen: 0 }
    }

    /// Returns the access of another replica, with faults of its own.
    #[must_use]
    pub fn replica(&self) -> Self {
        Self { cell: Arc::clone(&self.cell), ..Self::new() }
    }

    /// Sets what goes wrong with each call of this replica from now on. Default: nothing.
    pub fn set_fault(&self, fault: Option<MemoryFault>) {
        *lock(&self.fault) = fault;
    }

    /// Returns the record.
    pub fn record(&self) -> Option<Record> {
        lock(&self.cell.record).clone()
    }

    /// Writes a record, or removes it, whatever is there: what an operator does by hand.
    pub fn set_record(&self, record: Option<Record>) {
        *lock(&self.cell.record) = record;
        self.cell.writes.bump();
    }

    async fn fail(&self) -> Result<(), RegisterError> {
        let fault = *lock(&self.fault);
        match fault {
            Some(MemoryFault::Away) => Err(RegisterError::new("the memory is away")),
            Some(MemoryFault::Hangs) => pending().await,
            Some(MemoryFault::LosesAnswers) | None => Ok(()),
        }
    }

    async fn answer<T>(&self, answer: T) -> Result<T, RegisterError> {
        let fault = *lock(&self.fault);
        if fault == Some(MemoryFault::LosesAnswers) { pending().await } else { Ok(answer) }
    }
}

impl Default for MemoryLock {
    fn default() -> Self {
        Self::new()
    }
}

impl Register for MemoryLock {
    async fn read(&mut self) -> Result<Option<(Record, Version)>, RegisterError> {
        self.fail().await?;
        self.seen = self.cell.writes.get();
        let record = self.record();
        self.answer(record.map(|record| (record.clone(), Version::of(&record)))).await
    }

    async fn write(
        &mut self,
        new: &Record,
        old: Option<&Version>,
    ) -> Result<Written, RegisterError> {
        self.fail().await?;
        let written = {
            let mut record = lock(&self.cell.record);
            if record.as_ref().map(Version::of).as_ref() == old {
                *record = Some(new.clone());
                Written::Ok { version: Version::of(new), term: new.term }
            } else {
                Written::Changed
            }
        };
        if written != Written::Changed {
            self.cell.writes.bump();
        }
        self.answer(written).await
    }

    async fn changed(&mut self) {
        self.cell.writes.reached(self.seen + 1).await;
    }
}
