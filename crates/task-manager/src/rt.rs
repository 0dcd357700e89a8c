//! What the manager needs of a runtime, so that shuttle can stand in for tokio.

#[cfg(task_shuttle)]
mod modelled;

#[cfg(task_shuttle)]
pub(crate) use self::modelled::{Handle, Instant, JoinHandle, sleep, sleep_until};
#[cfg(not(task_shuttle))]
pub(crate) use tokio::{
    runtime::Handle,
    task::JoinHandle,
    time::{Instant, sleep, sleep_until},
};

/// Has whoever was woken last by this worker run elsewhere, should the caller block: tokio keeps that task for the
/// worker itself, where no other can take it. Now it keeps one that does nothing.
pub(crate) fn pass_on_last_woken() {
    #[cfg(not(task_shuttle))]
    if tokio::task::try_id().is_some()
        && let Ok(handle) = Handle::try_current()
    {
        drop(handle.spawn(async {}));
    }
}

/// Whether there are threads beside the runtime. Shuttle knows only those that it schedules, so the deadline thread,
/// which belongs to the process, is off there.
pub(crate) const HAS_OWN_THREADS: bool = cfg!(not(task_shuttle));
