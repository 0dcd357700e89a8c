//! Atomics for loom.
//!
//! Loom treats a sequentially consistent access as an acquire-release one, and so reports races
//! that do not exist. It does model sequentially consistent fences: an access between two of them
//! is sequentially consistent, if all accesses are made in this way.

use loom::sync::atomic::{self, Ordering, fence};

#[derive(Debug, Default)]
pub(crate) struct AtomicBool(atomic::AtomicBool);

impl AtomicBool {
    pub(crate) fn load(&self, order: Ordering) -> bool {
        fenced(order, || self.0.load(Ordering::Acquire))
    }

    pub(crate) fn store(&self, value: bool, order: Ordering) {
        fenced(order, || self.0.store(value, Ordering::Release));
    }
}

#[derive(Debug, Default)]
pub(crate) struct AtomicU64(atomic::AtomicU64);

impl AtomicU64 {
    pub(crate) fn load(&self, order: Ordering) -> u64 {
        fenced(order, || self.0.load(Ordering::Acquire))
    }

    pub(crate) fn fetch_add(&self, value: u64, order: Ordering) -> u64 {
        fenced(order, || self.0.fetch_add(value, Ordering::AcqRel))
    }

    pub(crate) fn fetch_max(&self, value: u64, order: Ordering) -> u64 {
        fenced(order, || self.0.fetch_max(value, Ordering::AcqRel))
    }
}

fn fenced<R>(order: Ordering, access: impl FnOnce() -> R) -> R {
    assert_eq!(order, Ordering::SeqCst, "a weaker order needs its own model");
    fence(Ordering::SeqCst);
    let result = access();
    fence(Ordering::SeqCst);
    result
}
