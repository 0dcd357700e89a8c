//! Blocked threads.

use anyhow::Result;

use crate::{member::Log, stage::Stage};

pub(super) fn unread_log(stage: &mut Stage) -> Result<()> {
    stage.start_with(Log::Unread)?;
    // The log is full before or after the member has joined.
    stage.pause(500..6000);
    // 4 is the hard exit.
    stage.end(0, &[0, 1, 4])
}
