//! Ends of a lone member.

use anyhow::Result;

use crate::stage::Stage;

pub(super) fn sigterm(stage: &mut Stage) -> Result<()> {
    stage.gather(1)?;
    stage.stray(50..1500);
    stage.end(0, &[0])
}

pub(super) fn sigkill(stage: &mut Stage) -> Result<()> {
    stage.gather(1)?;
    stage.stray(50..2500);
    stage.kill(0)
}

pub(super) fn start(stage: &mut Stage) -> Result<()> {
    stage.start()?;
    // A member takes some 3 s until it has partitions. Within the first milliseconds no signal is caught yet: a process
    // that is younger than its `main` ends at SIGTERM, with nothing to lose.
    stage.stray(100..4500);
    stage.end(0, &[0])
}
