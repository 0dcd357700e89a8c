//! Brokers that are unavailable or slow, or that reject records.

use std::{ops::Range, time::Duration};

use anyhow::Result;

use crate::{
    broker::{Broker, Failure, Victim},
    stage::{GROUP, Stage},
};

/// How long members may take to settle orders again once the cluster is whole: all nodes are back,
/// with all replicas in sync.
const RECOVERY: Duration = Duration::from_secs(15);

pub(super) fn away(stage: &mut Stage) -> Result<()> {
    stage.bring_up(stage.count().max(1))?;
    stage.pause(50..1500);
    if stage.random.bool() && !matches!(stage.broker, Broker::Separate(_)) {
        let which = stage.random.i32(0..3);
        stage.broker.take_one_down(which)?;
    } else {
        stage.broker.take_down()?;
    }
    stage.pause(500..8000);
    stage.broker.bring_back()?;
    stage.pause(50..3000);
    Ok(())
}

/// The node is back within the time of a broker's session, or after it.
pub(super) fn kills(stage: &mut Stage) -> Result<()> {
    fail_a_node(stage, Failure::Kill, 1000..6000)
}

/// A broker's session is 9 s: the node still leads its partitions when it is resumed, or no longer.
pub(super) fn freezes(stage: &mut Stage) -> Result<()> {
    fail_a_node(stage, Failure::Freeze, 1000..15_000)
}

/// The members have to settle orders again within [`RECOVERY`] of the cluster being whole. The next
/// round begins after that, so that never two nodes of three are away.
fn fail_a_node(stage: &mut Stage, failure: Failure, millis: Range<u64>) -> Result<()> {
    stage.bring_up(2)?;
    stage.pause(50..3000);
    let slot = stage.random.usize(0..2);
    let transactional_id = Stage::transactional_id(slot);
    let victim = match stage.random.u8(0..3) {
        0 => Victim::Group(GROUP),
        1 => Victim::Transaction(&transactional_id),
        _ => Victim::Any(stage.random.usize(0..3)),
    };
    stage.broker.fail_one(victim, failure)?;
    stage.pause(millis);
    stage.broker.bring_back()?;
    stage.broker.wait_whole()?;
    stage.settles_within(RECOVERY)
}

/// A key may move to another partition, so its order is only counted.
pub(super) fn growth(stage: &mut Stage) -> Result<()> {
    stage.refresh_metadata_often();
    stage.bring_up(2)?;
    stage.pause(50..1500);
    stage.grow(2)?;
    stage.pause(50..4000);
    let index = stage.any();
    if stage.random.bool() {
        stage.end(index, &[0, 1])?;
    } else {
        stage.kill(index)?;
    }
    // They share the new partitions, too.
    stage.bring_up(2)
}

/// Longer than the message timeout of 20 s: the consumers fail, and are run again.
pub(super) fn long_away(stage: &mut Stage) -> Result<()> {
    stage.bring_up(stage.count().max(1))?;
    stage.pause(50..1500);
    stage.broker.take_down()?;
    stage.pause(25_000..40_000);
    stage.broker.bring_back()?;
    stage.pause(50..3000);
    Ok(())
}

pub(super) fn cut_off(stage: &mut Stage) -> Result<()> {
    stage.bring_up(1)?;
    stage.pause(50..1500);
    stage.broker.take_down()?;
    stage.record_loss()?;
    stage.pause(0..3000);
    // 0 if no message was in flight.
    stage.end(0, &[0, 1])?;
    stage.broker.bring_back()
}

pub(super) fn slow(stage: &mut Stage) -> Result<()> {
    stage.bring_up(stage.count().max(1))?;
    let round_trip = Duration::from_millis(stage.random.u64(20..1000));
    stage.broker.slow_down(round_trip)?;
    stage.pause(500..4000);
    let index = stage.any();
    stage.end(index, &[0, 1])?;
    stage.broker.bring_back()
}

pub(super) fn refusals(stage: &mut Stage) -> Result<()> {
    stage.one_request_at_a_time();
    stage.bring_up(1)?;
    stage.pause(50..1000);
    let requests = stage.random.usize(1..30);
    stage.broker.refuse_records(requests)?;
    stage.pause(0..1500);
    stage.end(0, &[0])?;
    stage.broker.bring_back()
}
