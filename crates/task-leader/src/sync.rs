//! Locks.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks, and ignores poisoning: no critical section can leave the data inconsistent.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
