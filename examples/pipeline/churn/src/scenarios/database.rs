//! A database that is away.

use anyhow::Result;

use crate::stage::Stage;

/// Less than the 15 s that the service is patient.
pub(super) fn away(stage: &mut Stage) -> Result<()> {
    stage.gather(stage.count().max(1))?;
    stage.stray(50..1000);
    take(stage)?;
    stage.stray(200..7000);
    stage.database.bring_back()?;
    stage.stray(0..2000);
    let index = stage.any();
    stage.end(index, &[0])
}

pub(super) fn cut_off(stage: &mut Stage) -> Result<()> {
    stage.gather(1)?;
    stage.stray(50..1000);
    take(stage)?;
    stage.stray(0..3000);
    stage.end(0, &[0, 1])?;
    stage.database.bring_back()
}

fn take(stage: &mut Stage) -> Result<()> {
    if stage.database.is_server() && stage.random.bool() {
        stage.database.crash()
    } else {
        stage.database.lock()
    }
}
