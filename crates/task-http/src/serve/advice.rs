//! Advice in the log, for what no error can say.

use task_core::{Group, Step};

use crate::config::{BoundAddress, Endpoint, Listener};

/// Returns the first address at which the readiness can be asked for from outside the machine.
pub(super) fn public_address(listeners: &[Listener]) -> Option<BoundAddress> {
    let mut public = listeners.iter().filter(|listener| match &listener.address {
        BoundAddress::Tcp(address) => {
            !address.ip().to_canonical().is_loopback() && listener.served.has(Endpoint::Readyz)
        }
        BoundAddress::Unix(_) => false,
    });
    public.next().map(|listener| listener.address.clone())
}

/// Waits until the group is ready for the first time, since all tasks of the setup are there by
/// then, and logs once if it lacks a drain.
pub(super) async fn advise_to_drain(address: BoundAddress, mut group: Group) {
    while !group.readiness().has_started {
        if group.step() != Step::Running {
            return;
        }
        group.changed().await;
    }
    if group.lacks_drain() {
        tracing::warn!(
            %address,
            "a stop may lose requests: without a drain delay, a load balancer that asks here for \
             the readiness goes on sending them; set `drain_delay` of the manager to two periods \
             of the probe, such as 5 s, or to zero if there is no load balancer"
        );
    }
}
