//! What the probes report: checks, and the heartbeat of runtimes.

pub(crate) mod check;
pub(crate) mod heartbeat;
