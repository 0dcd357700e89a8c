//! All scenarios.

mod ends;
mod reloads;
mod sockets;
mod starts;
mod stops;
mod units;
mod watchdogs;

use crate::scenario::Scenario;

/// A new scenario is one entry of a list.
pub(crate) fn all() -> impl Iterator<Item = &'static Scenario> {
    let lists = [
        starts::LIST,
        stops::LIST,
        watchdogs::LIST,
        reloads::LIST,
        sockets::LIST,
        ends::LIST,
        units::LIST,
    ];
    lists.into_iter().flatten()
}
