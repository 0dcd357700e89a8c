//! The messages of one transaction.

use std::collections::BTreeMap;

use anyhow::Context as _;
use rdkafka::{Offset, TopicPartitionList};

use crate::{
    member::{Membership, TopicPartition},
    workers::Entry,
};

/// The messages of one transaction.
pub(super) struct Batch<E> {
    pub(super) sent: Vec<Entry<E>>,
    /// The number of messages that were received for it.
    pub(super) received: usize,
    /// The offsets of each partition.
    pub(super) offsets: BTreeMap<TopicPartition, Offsets>,
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
    /// The offset after the last message that was transformed: a commit stores it.
    pub(super) next: i64,
}

impl<E> Batch<E> {
    pub(super) fn new(revocations: u64) -> Self {
        Self {
            produced: 0,
            dead_lettered: 0,
            sent: Vec::new(),
            received: 0,
            offsets: BTreeMap::new(),
            is_committing: false,
            revocations,
        }
    }

    /// Returns the offsets to read from after an abort.
    pub(super) fn first_offsets(&self, member: &Membership) -> anyhow::Result<TopicPartitionList> {
        self.list(member, |offsets| offsets.first)
    }

    /// Returns the offsets to commit.
    pub(super) fn next_offsets(&self, member: &Membership) -> anyhow::Result<TopicPartitionList> {
        self.list(member, |offsets| offsets.next)
    }

    fn list(
        &self,
        member: &Membership,
        offset: impl Fn(Offsets) -> i64,
    ) -> anyhow::Result<TopicPartitionList> {
        let mut list = TopicPartitionList::new();
        for (id, offsets) in &self.offsets {
            let (topic, partition) = (member.topic(*id).context("no such topic")?, &id.1);
            let offset = offset(*offsets);
            list.add_partition_offset(topic, *partition, Offset::Offset(offset))
                .with_context(|| format!("{topic}[{partition}] has no offset {offset}"))?;
        }
        Ok(list)
    }
}
