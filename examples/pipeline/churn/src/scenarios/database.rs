//! A database that is unavailable.

use anyhow::Result;

use crate::stage::Stage;

/// The database is away for less than the 15 s of retries, and during a stop for less than the
/// drain may take.
pub(super) fn away(stage: &mut Stage) -> Result<()> {
    stage.bring_up(stage.count().max(1))?;
    stage.pause(50..1000);
    let index = stage.any();
    take_away(stage)?;
    let ending = if stage.random.bool() {
        stage.pause(200..3000);
        let ending = stage.terminate(index)?;
        stage.pause(200..2000);
        stage.database.bring_back()?;
        ending
    } else {
        stage.pause(200..7000);
        stage.database.bring_back()?;
        stage.pause(0..2000);
        stage.terminate(index)?
    };
    stage.wait_end(ending, &[0])
}

pub(super) fn cut_off(stage: &mut Stage) -> Result<()> {
    stage.bring_up(1)?;
    stage.pause(50..1000);
    take_away(stage)?;
    stage.record_loss()?;
    stage.pause(0..3000);
    stage.end(0, &[0, 1])?;
    stage.database.bring_back()
}

fn take_away(stage: &mut Stage) -> Result<()> {
    if stage.database.is_server() && stage.random.bool() {
        stage.database.crash()
    } else {
        stage.database.lock()
    }
}
