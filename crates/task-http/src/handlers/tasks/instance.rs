//! The process that responds: what distinguishes the instances of a service.

use std::{
    env, fs, process,
    time::{Duration, SystemTime},
};

/// How many bytes of the host's name are shown: the longest that a system allows.
const MAX_HOST: usize = 255;

/// The process that responds.
#[derive(Debug)]
pub(crate) struct Instance {
    /// The name of the host, if it is known.
    pub(super) host: Option<String>,
    pub(super) pid: u32,
    pub(super) version: Option<String>,
    /// When the manager was created, by the wall clock. Read once, so that the times that follow
    /// from it stay the same when the wall clock is corrected.
    pub(super) started: SystemTime,
}

impl Instance {
    /// Describes this process, whose manager was created `uptime` ago.
    pub(crate) fn of_this_process(version: Option<String>, uptime: Duration) -> Self {
        let now = SystemTime::now();
        let started = now.checked_sub(uptime).unwrap_or(now);
        Self { host: host(), pid: process::id(), version, started }
    }
}

/// Returns the name of the host: that of the container, in one.
fn host() -> Option<String> {
    let of_kernel = fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let of_environment =
        || ["HOSTNAME", "COMPUTERNAME"].iter().find_map(|name| env::var(name).ok());
    let host = of_kernel.or_else(of_environment)?;
    Some(host.trim()).filter(|host| !host.is_empty() && host.len() <= MAX_HOST).map(Into::into)
}
