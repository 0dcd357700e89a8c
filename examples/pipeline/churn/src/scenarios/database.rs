//! A database that is away.

use anyhow::Result;

use crate::stage::Stage;

/// Less than the 15 s that the service is patient; and if it is being stopped, less than it may take to drain.
pub(super) fn away(stage: &mut Stage) -> Result<()> {
    stage.gather(stage.count().max(1))?;
    stage.stray(50..1000);
    let index = stage.any();
    take(stage)?;
    let ending = if stage.random.bool() {
        stage.stray(200..3000);
        let ending = stage.ask(index)?;
        stage.stray(200..2000);
        stage.database.bring_back()?;
        ending
    } else {
        stage.stray(200..7000);
        stage.database.bring_back()?;
        stage.stray(0..2000);
        stage.ask(index)?
    };
    stage.see_off(ending, &[0])
}

pub(super) fn cut_off(stage: &mut Stage) -> Result<()> {
    stage.gather(1)?;
    stage.stray(50..1000);
    take(stage)?;
    stage.excuse()?;
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
