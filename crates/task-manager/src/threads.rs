//! What runs beside the runtime: the deadline thread and its helpers, the clock, and what a panic leaves behind.

pub(crate) mod alarm;
pub(crate) mod clock;
pub(crate) mod deadline_thread;
pub(crate) mod offload;
pub(crate) mod panics;
