//! Panics: those of users' code become errors, and those of a lock's former holder are ignored.

use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::anyhow;
use task_core::scope;

/// Runs `body`, which is or calls users' code named `what`. A panic becomes an error.
pub(crate) fn catch<R>(what: &str, body: impl FnOnce() -> R) -> anyhow::Result<R> {
    scope::catch(body).map_err(|panic| anyhow!("{what} {panic}"))
}

/// Locks a mutex. Every critical section of this crate leaves its data valid at each point.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
