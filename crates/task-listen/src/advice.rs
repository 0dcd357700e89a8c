//! Advice in the log, for what no error can say.

use task_core::{Group, Step};

use crate::BoundAddress;

/// Waits until the group is ready for the first time, since all tasks of the setup are there by
/// then, and logs once if it lacks a drain.
pub async fn advise_to_drain(address: BoundAddress, mut group: Group) {
    while !group.readiness().has_started {
        if group.step() != Step::Running {
            return;
        }
        group.changed().await;
    }
    if group.lacks_drain() {
        tracing::warn!(
            %address,
            "a stop may lose requests: without a drain delay, a load balancer that asks for \
             the readiness goes on sending them; set `drain_delay` of the manager to two periods \
             of the probe, such as 5 s, or to zero if there is no load balancer"
        );
    }
}
