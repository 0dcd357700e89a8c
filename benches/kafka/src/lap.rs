//! One measurement: from the first received message to the last stored offset.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use rustix::time::{ClockId, clock_gettime};

use crate::load::MESSAGES;

/// A running measurement, started at the first message.
#[derive(Clone, Copy)]
pub(crate) struct Lap {
    wall: Instant,
    cpu: Duration,
}

/// The output of a contestant's process, per message.
#[derive(Clone, Copy)]
pub(crate) struct Figures {
    pub(crate) wall_nanos: f64,
    pub(crate) cpu_nanos: f64,
}

impl Lap {
    pub(crate) fn start() -> Self {
        Self { wall: Instant::now(), cpu: cpu() }
    }

    /// Prints the times per message of all messages.
    pub(crate) fn finish(self) {
        self.finish_with(MESSAGES);
    }

    /// Prints the times per message of this many messages.
    pub(crate) fn finish_with(self, messages: u64) {
        let per_message = |time: Duration| time.as_nanos() as f64 / messages as f64;
        let wall = per_message(self.wall.elapsed());
        println!("{wall} {}", per_message(cpu().saturating_sub(self.cpu)));
    }
}

impl Figures {
    /// Parses the output of a contestant's process.
    pub(crate) fn read(line: &str) -> Result<Self> {
        let (wall, cpu) = line.trim().split_once(' ').context("no figures")?;
        Ok(Self { wall_nanos: wall.parse()?, cpu_nanos: cpu.parse()? })
    }
}

/// Returns the CPU time of this process.
fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}
