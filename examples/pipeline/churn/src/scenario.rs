//! A scenario and its promise.

use anyhow::Result;

use crate::{
    broker::{BrokerKind, Brokers},
    stage::Stage,
};

/// A failure of the service or of what it depends on, repeated for some rounds.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) promise: Promise,
    /// Default numbers of rounds: of a full run, and of a quick one, where 0 skips the scenario.
    pub(crate) rounds: u32,
    pub(crate) quick: u32,
    pub(crate) needs: Needs,
    pub(crate) play: fn(&mut Stage) -> Result<()>,
}

/// What the service promises in a scenario. In each, no order is lost and no exit is late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Promise {
    /// Nothing is repeated and nothing is out of order.
    Exact,
    /// A member that was killed or cut off from the brokers explains the repeated messages: those
    /// of one commit interval, and those in flight. Nothing is out of order.
    Bounded,
    /// Repeated messages are counted, and members may end by themselves with code 1.
    NothingLost,
}

/// The brokers that a scenario needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Needs {
    Anything,
    /// Any but the separate broker, whose group is wedged permanently by several members, or by a
    /// member that leaves while it joins.
    Members,
    /// Embedded brokers, which can be slow and reject records.
    Embedded,
    /// Apache Kafka, whose topics can change.
    Apache,
    /// Three nodes of Apache Kafka, one of which can fail.
    Nodes,
}

impl Needs {
    /// Returns whether the brokers have all that the scenario needs.
    pub(crate) fn are_met_by(self, brokers: Brokers) -> bool {
        let Brokers { kind, nodes } = brokers;
        match self {
            Self::Anything => true,
            Self::Members => kind != BrokerKind::Separate,
            Self::Embedded => kind == BrokerKind::Embedded,
            Self::Apache => kind == BrokerKind::Apache,
            Self::Nodes => kind == BrokerKind::Apache && nodes >= 3,
        }
    }

    pub(crate) fn about(self) -> &'static str {
        match self {
            Self::Anything => "nothing",
            Self::Members => "the embedded brokers or Apache Kafka",
            Self::Embedded => "the embedded brokers",
            Self::Apache => "`--broker apache`",
            Self::Nodes => "`--broker apache --nodes 3`",
        }
    }
}
