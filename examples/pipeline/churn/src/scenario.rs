//! What a scenario is, and what it promises.

use anyhow::Result;

use crate::stage::Stage;

/// Something that is done to the service again and again.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) promise: Promise,
    /// How often it is played if nobody says otherwise, and in a quick run; 0 leaves it out there.
    pub(crate) rounds: u32,
    pub(crate) quick: u32,
    pub(crate) needs: Needs,
    pub(crate) play: fn(&mut Stage) -> Result<()>,
}

/// What must not happen. Nothing is ever lost, nor is any exit late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Promise {
    /// Nothing is repeated and nothing is out of order.
    Exact,
    /// What is repeated is explained by a member that was killed or cut off from the brokers: one commit interval, and
    /// what it had in flight. Nothing is out of order.
    Bounded,
    /// What is repeated is counted, and members may end by themselves with code 1.
    NothingLost,
}

/// What it can be played on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Needs {
    Anything,
    /// Several members, one that leaves while it joins (either wedges the separate broker's group for good), or power
    /// over single brokers.
    Embedded,
}
