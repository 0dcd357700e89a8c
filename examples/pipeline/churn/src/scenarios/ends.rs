//! Ends of a lone member.

use anyhow::Result;

use crate::{broker::Broker, stage::Stage};

/// More requests than are made in some seconds.
const MANY: usize = 5000;

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

/// Longer than a commit interval, so that a service that commits what it has only received loses it.
pub(super) fn clogged(stage: &mut Stage) -> Result<()> {
    stage.one_request_at_a_time();
    stage.gather(1)?;
    stage.stray(50..1000);
    if matches!(stage.broker, Broker::Embedded(_)) && stage.random.bool() {
        stage.broker.refuse_records(MANY)?;
    } else {
        stage.database.lock()?;
    }
    stage.stray(1800..4500);
    stage.kill(0)?;
    stage.database.bring_back()?;
    stage.broker.bring_back()
}

pub(super) fn start(stage: &mut Stage) -> Result<()> {
    stage.start()?;
    // A member takes some 3 s until it has partitions. Within the first milliseconds no signal is caught yet: a process
    // that is younger than its `main` ends at SIGTERM, with nothing to lose.
    stage.stray(100..4500);
    stage.end(0, &[0])
}
