//! What only Linux has: the socket of systemd, and its clock.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod other;

#[cfg(target_os = "linux")]
pub(crate) use self::linux::{Descriptor, NotifySocket, monotonic_micros};
#[cfg(not(target_os = "linux"))]
pub(crate) use self::other::{Descriptor, NotifySocket, monotonic_micros};
