//! Opens when all tasks have arrived. One per process, so that no task pays for a reference to it.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

static ARRIVED: AtomicUsize = AtomicUsize::new(0);
static EXPECTED: AtomicUsize = AtomicUsize::new(usize::MAX);
static ALL: Notify = Notify::const_new();

/// Sets how many more will arrive.
pub(crate) fn expect(count: usize) {
    EXPECTED.store(ARRIVED.load(Ordering::SeqCst) + count, Ordering::SeqCst);
}

/// Counts the caller; the last one opens the gate.
pub(crate) fn arrive() {
    if ARRIVED.fetch_add(1, Ordering::SeqCst) + 1 == EXPECTED.load(Ordering::SeqCst) {
        ALL.notify_one();
    }
}

/// Waits for the last one.
pub(crate) async fn all() {
    ALL.notified().await;
}
