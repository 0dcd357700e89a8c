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

/// Whether there are threads beside the runtime. Shuttle knows only those that it schedules, so the deadline thread,
/// which belongs to the process, is off there.
pub(crate) const HAS_OWN_THREADS: bool = cfg!(not(task_shuttle));
