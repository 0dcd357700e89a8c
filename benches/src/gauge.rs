//! Reads what this process has used so far: wall-clock time, CPU time, memory.

use std::{fs, time::Duration};

use rustix::time::{ClockId, clock_gettime};

/// The time used up to an instant.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    pub(crate) wall: Duration,
    /// Of all threads, also those that have ended.
    pub(crate) cpu: Duration,
}

pub(crate) fn read() -> Reading {
    Reading { wall: clock(ClockId::Monotonic), cpu: clock(ClockId::ProcessCPUTime) }
}

/// Returns the resident memory, in bytes.
pub(crate) fn resident() -> u64 {
    const PAGE: u64 = 4_096;
    let statm = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or(0) * PAGE
}

fn clock(id: ClockId) -> Duration {
    let time = clock_gettime(id);
    let nanos = u32::try_from(time.tv_nsec).unwrap_or(0);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), nanos)
}
