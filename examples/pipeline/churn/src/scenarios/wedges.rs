//! Threads that are stuck.

use anyhow::Result;

use crate::{member::Log, stage::Stage};

pub(super) fn stuck_log(stage: &mut Stage) -> Result<()> {
    stage.start_with(Log::Stuck)?;
    // Its log is full before or after it has joined.
    stage.stray(500..6000);
    // 4 is the hard exit.
    stage.end(0, &[0, 1, 4])
}
