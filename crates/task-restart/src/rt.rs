//! What a restarting task needs of a runtime: its clock. In the schedule tests, shuttle stands in
//! for Tokio.

/// The stand-in lives with the tests that it is for.
#[cfg(task_shuttle)]
#[path = "../tests/shuttle/rt.rs"]
mod modelled;

#[cfg(task_shuttle)]
pub(crate) use self::modelled::{Instant, Sleep, sleep};
#[cfg(not(task_shuttle))]
pub(crate) use tokio::time::{Instant, Sleep, sleep};
