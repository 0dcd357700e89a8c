//! What the manager synchronises with, so that shuttle can stand in for it. What is set once (`OnceLock`) or only
//! counted (`Arc`) stays the standard library's: shuttle does not look into these.

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
