//! Members of one group that come and go.

use std::{thread::sleep, time::Duration};

use anyhow::Result;

use super::{brokers, database};
use crate::stage::Stage;

/// More than the 6 s after which the group no longer waits for a member.
const BEYOND_SESSION: Duration = Duration::from_secs(8);

pub(super) fn rolling(stage: &mut Stage) -> Result<()> {
    for _ in 0..2 {
        stage.gather(2)?;
        stage.stray(50..1500);
        // The oldest one.
        stage.end(0, &[0])?;
        stage.start()?;
    }
    stage.gather(2)
}

pub(super) fn scale(stage: &mut Stage) -> Result<()> {
    let goal = stage.random.usize(1..5);
    while stage.count() < goal {
        stage.start()?;
    }
    let mut endings = Vec::new();
    while stage.count() > goal {
        let index = stage.any();
        endings.push(stage.ask(index)?);
    }
    // All at once, as an orchestrator does it.
    for ending in endings {
        stage.see_off(ending, &[0, 1])?;
    }
    stage.gather(goal)?;
    stage.stray(50..1500);
    Ok(())
}

pub(super) fn crashes(stage: &mut Stage) -> Result<()> {
    stage.gather(2)?;
    stage.stray(50..2500);
    let index = stage.any();
    stage.kill(index)
}

pub(super) fn hasty(stage: &mut Stage) -> Result<()> {
    stage.gather(2)?;
    stage.start()?;
    // The group takes some 5 s until the new one has its share.
    stage.stray(50..7000);
    let index = stage.any();
    // It may be that its last commit is refused all the time.
    stage.end(index, &[0, 1])?;
    stage.stray(0..500);
    while stage.count() > 2 {
        stage.end(0, &[0, 1])?;
    }
    Ok(())
}

pub(super) fn frozen(stage: &mut Stage) -> Result<()> {
    stage.gather(2)?;
    stage.stray(50..1500);
    stage.freeze(0, true)?;
    sleep(BEYOND_SESSION);
    stage.stray(0..2000);
    stage.freeze(0, false)?;
    stage.stray(50..3000);
    let index = stage.any();
    stage.end(index, &[0, 1])
}

pub(super) fn storm(stage: &mut Stage) -> Result<()> {
    match stage.random.u8(0..8) {
        0 => rolling(stage),
        1 => scale(stage),
        2 => crashes(stage),
        3 => hasty(stage),
        4 => frozen(stage),
        5 => brokers::away(stage),
        6 => brokers::slow(stage),
        _ => database::away(stage),
    }
}
