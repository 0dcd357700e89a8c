//! Members that join and leave a group.

use std::{thread::sleep, time::Duration};

use anyhow::Result;

use super::{brokers, database};
use crate::{broker::Broker, stage::Stage};

/// Longer than the session timeout of 6 s.
const BEYOND_SESSION: Duration = Duration::from_secs(8);

pub(super) fn rolling(stage: &mut Stage) -> Result<()> {
    for _ in 0..2 {
        stage.bring_up(2)?;
        stage.pause(50..1500);
        // The oldest member.
        stage.end(0, &[0])?;
        stage.start()?;
    }
    stage.bring_up(2)
}

pub(super) fn scale(stage: &mut Stage) -> Result<()> {
    let goal = stage.random.usize(1..5);
    while stage.count() < goal {
        stage.start()?;
    }
    let mut endings = Vec::new();
    while stage.count() > goal {
        let index = stage.any();
        endings.push(stage.terminate(index)?);
    }
    // All at once, like an orchestrator.
    for ending in endings {
        stage.wait_end(ending, &[0, 1])?;
    }
    stage.bring_up(goal)?;
    stage.pause(50..1500);
    Ok(())
}

pub(super) fn crashes(stage: &mut Stage) -> Result<()> {
    stage.bring_up(2)?;
    stage.pause(50..2500);
    let index = stage.any();
    stage.kill(index)
}

pub(super) fn hasty(stage: &mut Stage) -> Result<()> {
    stage.bring_up(2)?;
    stage.start()?;
    // The group takes about 5 s until the new member has its partitions.
    stage.pause(50..7000);
    let index = stage.any();
    // 1 if its last commit is rejected for the whole time.
    stage.end(index, &[0, 1])?;
    stage.pause(0..500);
    while stage.count() > 2 {
        stage.end(0, &[0, 1])?;
    }
    Ok(())
}

pub(super) fn frozen(stage: &mut Stage) -> Result<()> {
    stage.bring_up(2)?;
    stage.pause(50..1500);
    stage.freeze(0, true)?;
    sleep(BEYOND_SESSION);
    stage.pause(0..2000);
    stage.freeze(0, false)?;
    stage.pause(50..3000);
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
        6 if matches!(stage.broker, Broker::Embedded(_)) => brokers::slow(stage),
        _ => database::away(stage),
    }
}
