//! The messages of one transaction.

use std::collections::BTreeMap;

use anyhow::Context as _;
use rdkafka::{Offset, TopicPartitionList};

use crate::dispatch::Sent;

/// The messages of one transaction.
pub(super) struct Batch<E> {
    pub(super) sent: Vec<Sent<E>>,
    /// The offsets of each partition, keyed by topic and number.
    pub(super) offsets: BTreeMap<(String, i32), Offsets>,
    /// Records, and dead letters, whose delivery was reported.
    pub(super) produced: u64,
    pub(super) dead_lettered: u64,
    /// Whether its commit was asked for, so that only the brokers know its fate.
    pub(super) is_committing: bool,
    /// The number of revocations when the transaction began.
    pub(super) revocations: u64,
}

/// The offsets of the messages of one partition.
#[derive(Clone, Copy, Debug)]
pub(super) struct Offsets {
    /// The first offset: an abort rewinds to it.
    pub(super) first: i64,
    /// The offset after the last message: a commit stores it.
    pub(super) next: i64,
}

impl<E> Batch<E> {
    pub(super) fn new(revocations: u64) -> Self {
        Self {
            produced: 0,
            dead_lettered: 0,
            sent: Vec::new(),
            offsets: BTreeMap::new(),
            is_committing: false,
            revocations,
        }
    }

    /// Returns the offsets to read from after an abort.
    pub(super) fn first_offsets(&self) -> anyhow::Result<TopicPartitionList> {
        self.list(|offsets| offsets.first)
    }

    /// Returns the offsets to commit.
    pub(super) fn next_offsets(&self) -> anyhow::Result<TopicPartitionList> {
        self.list(|offsets| offsets.next)
    }

    fn list(&self, offset: impl Fn(Offsets) -> i64) -> anyhow::Result<TopicPartitionList> {
        let mut list = TopicPartitionList::new();
        for ((topic, partition), offsets) in &self.offsets {
            let offset = offset(*offsets);
            list.add_partition_offset(topic, *partition, Offset::Offset(offset))
                .with_context(|| format!("{topic}[{partition}] has no offset {offset}"))?;
        }
        Ok(list)
    }
}
