//! Exits of a single member.

use anyhow::Result;

use crate::{broker::Broker, stage::Stage};

/// More requests than a member sends in some seconds.
const MANY: usize = 5000;

pub(super) fn sigterm(stage: &mut Stage) -> Result<()> {
    stage.bring_up(1)?;
    stage.pause(50..1500);
    stage.end(0, &[0])
}

pub(super) fn sigkill(stage: &mut Stage) -> Result<()> {
    stage.bring_up(1)?;
    stage.pause(50..2500);
    stage.kill(0)
}

/// Takes longer than a commit interval, so that a service that commits on receipt would lose
/// messages.
pub(super) fn clogged(stage: &mut Stage) -> Result<()> {
    stage.one_request_at_a_time();
    stage.bring_up(1)?;
    stage.pause(50..1000);
    if matches!(stage.broker, Broker::Embedded(_)) && stage.random.bool() {
        stage.broker.refuse_records(MANY)?;
    } else {
        stage.database.lock()?;
    }
    stage.pause(1800..4500);
    stage.kill(0)?;
    stage.database.bring_back()?;
    stage.broker.bring_back()
}

pub(super) fn start(stage: &mut Stage) -> Result<()> {
    stage.start()?;
    // A member takes about 3 s until it has partitions. In the first milliseconds, before `main`,
    // SIGTERM ends the process by default, when there is nothing to lose.
    stage.pause(100..4500);
    stage.end(0, &[0])
}
