//! What the manager synchronises with, so that shuttle can stand in for it. What is set once
//! (`OnceLock`) or only counted (`Arc`) stays the standard library's: shuttle does not look into
//! these.

use std::sync::PoisonError;

/// For what decides nothing, and so is not worth a switch of threads under shuttle.
pub(crate) use std::sync::atomic::AtomicU8 as PlainU8;

#[cfg(task_shuttle)]
pub(crate) use shuttle::{
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering},
    },
    thread_local,
};
#[cfg(not(task_shuttle))]
pub(crate) use std::{
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering},
    },
    thread_local,
};

/// Locks, and ignores poisoning: no critical section can leave the data inconsistent.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
