//! What runs beside the runtime: the deadline thread, the offload threads, and what they read.
//!
//! Nothing here knows a group. The deadline thread sees an [`alarm::Alarm`] and calls
//! [`Deadlines::deadline_passed`](deadline_thread::Deadlines::deadline_passed); and it sees the
//! [timers](deadline_thread::Timer) that go by the system's clock.

pub(crate) mod deadline_thread;
pub(crate) mod offload;

mod alarm;
mod clock;
mod fuse_timer;
mod pulse_timer;

pub(crate) use self::{
    alarm::{Alarm, Times},
    clock::{CallerRuntime, Clock},
    deadline_thread::Deadlines,
    fuse_timer::FuseTimer,
    pulse_timer::{MAX_PULSES, PulseOwner, PulseTimer},
};
