//! The brokers of one stage, and what can be done to them.

mod embedded;
mod separate;

use std::{path::Path, time::Duration};

use anyhow::Result;

use crate::arguments::BrokerKind;
use embedded::Embedded;
use separate::Separate;

/// What every stage has.
pub(crate) const INPUT: &str = "orders";
pub(crate) const OUTPUT: &str = "orders-enriched";
pub(crate) const DEAD: &str = "orders-dead";
/// Divisible among one, two, three and four members.
pub(crate) const PARTITIONS: i32 = 12;

#[derive(Debug)]
pub(crate) enum Broker {
    Embedded(Embedded),
    Separate(Separate),
}

impl Broker {
    /// Starts it, with its topics. `tools` is where programs are installed, `folder` where logs go.
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

    /// Takes all brokers away: the embedded ones close their connections, the separate one no longer answers.
    pub(crate) fn take_down(&self) -> Result<()> {
        match self {
            Self::Embedded(embedded) => embedded.take_down(),
            Self::Separate(separate) => separate.freeze(),
        }
    }

    /// Everything works again.
    pub(crate) fn bring_back(&self) -> Result<()> {
        match self {
            Self::Embedded(embedded) => embedded.bring_back(),
            Self::Separate(separate) => separate.thaw(),
        }
    }

    /// Takes one of the brokers away; only for the embedded ones.
    pub(crate) fn take_one_down(&self, which: i32) -> Result<()> {
        self.embedded()?.take_one_down(which)
    }

    /// Every answer takes this long; only for the embedded ones.
    pub(crate) fn slow_down(&self, round_trip: Duration) -> Result<()> {
        self.embedded()?.slow_down(round_trip)
    }

    /// The next so many requests to produce fail in a way that passes; only for the embedded ones.
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
