//! What runs beside the runtime: the deadline thread, the offload threads, and what they read.
//!
//! Nothing here knows a group. The deadline thread sees an [`alarm::Alarm`] and calls
//! [`Deadlines::deadline_passed`](deadline_thread::Deadlines::deadline_passed).

pub(crate) mod deadline_thread;
pub(crate) mod offload;

pub(crate) mod alarm;
pub(crate) mod clock;

pub(crate) mod panics;
