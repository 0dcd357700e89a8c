//! What children need of a runtime. In the schedule tests, shuttle stands in for Tokio.

/// The stand-in lives with the tests that it is for.
#[cfg(task_shuttle)]
#[path = "../tests/shuttle/rt.rs"]
mod modelled;

#[cfg(task_shuttle)]
pub(crate) use self::modelled::{AbortHandle, Handle, JoinHandle, Places};
#[cfg(not(task_shuttle))]
pub(crate) use tokio::{
    runtime::Handle,
    task::{AbortHandle, JoinHandle},
};

/// The places that a group has for children.
#[cfg(not(task_shuttle))]
#[derive(Debug)]
pub(crate) struct Places(tokio::sync::Semaphore);

#[cfg(not(task_shuttle))]
impl Places {
    pub(crate) const MAX: usize = tokio::sync::Semaphore::MAX_PERMITS;

    pub(crate) fn new(count: usize) -> Self {
        Self(tokio::sync::Semaphore::new(count))
    }

    /// Takes a place if one is free.
    pub(crate) fn try_take(&self) -> bool {
        self.0.try_acquire().map(tokio::sync::SemaphorePermit::forget).is_ok()
    }

    /// Waits for a place, in the order of the calls. Dropped, it takes none.
    pub(crate) async fn take(&self) {
        // It is never closed.
        if let Ok(place) = self.0.acquire().await {
            place.forget();
        }
    }

    pub(crate) fn free(&self) {
        self.0.add_permits(1);
    }
}
