//! The synchronisation types in use, which loom and shuttle replace in their builds.

#[cfg(not(target_has_atomic = "64"))]
compile_error!("task-core needs atomic 64-bit numbers, which this target does not have");

#[cfg(task_loom)]
mod modelled;

#[cfg(task_loom)]
pub(crate) use self::modelled::{AtomicBool, AtomicU64};
#[cfg(task_loom)]
pub(crate) use loom::sync::{Mutex, MutexGuard, atomic::Ordering};
#[cfg(task_shuttle)]
pub(crate) use shuttle::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicBool, AtomicU64, Ordering},
};
#[cfg(not(any(task_loom, task_shuttle)))]
pub(crate) use std::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

/// Locks, and ignores poisoning: no critical section here can leave the data inconsistent.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
