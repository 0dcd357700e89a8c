//! The messages of one transaction.

use std::collections::BTreeMap;

use anyhow::Context as _;
use rdkafka::{Offset, TopicPartitionList};

use crate::{
    dispatch::Entry,
    member::{Membership, TopicPartition},
};

/// The messages of one transaction.
pub(super) struct Batch<E> {
    pub(super) sent: Vec<Entry<E>>,
    /// The number of messages that were received for it.
    pub(super) received: usize,
    /// The offsets of each partition.
    pub(super) offsets: BTreeMap<TopicPartition, Offsets>,
    /// Records, and dead letters, whose delivery was reported, and messages that have neither.
    pub(super) produced: u64,
    pub(super) dead_lettered: u64,
    pub(super) skipped: u64,
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
            skipped: 0,
            sent: Vec::new(),
            received: 0,
            offsets: BTreeMap::new(),
            is_committing: false,
            revocations,
        }
    }

    /// Forgets the partitions that were revoked since the transaction began. They must not be
    /// rewound, nor do their offsets show its fate: their owner, perhaps this member again, has
    /// begun at the group's last commit, which may be that of another member.
    pub(super) fn forget_revoked(&mut self, member: &Membership) {
        let revocations = self.revocations;
        self.offsets.retain(|id, _| !member.is_revoked_since(*id, revocations));
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;

    use super::*;
    use crate::{
        Counters, KafkaSettings, Order,
        member::{Room, Window},
    };

    #[test]
    fn a_partition_that_was_revoked_and_came_back_is_not_rewound() {
        let settings = KafkaSettings::new("localhost:9092").topics(["in"]);
        let window = Window::new(Order::Key, Room { messages: 1, bytes: 1 });
        let counters = Counters::new(Arc::default(), settings.stall_timeout);
        let member = Membership::new(&settings, Arc::new(window), counters);
        member.count_revocation(&[(0, 0)]);
        let mut batch = Batch::<()>::new(member.revocations());
        for partition in 0..3 {
            batch.offsets.insert((0, partition), Offsets { first: 5, next: 9 });
        }

        // Partition 0 was revoked before the transaction alone. Partition 1 came back from a member
        // that has committed 20: read from 5, those in between would be there twice.
        member.count_revocation(&[(0, 1)]);
        member.count_revocation(&[(0, 7)]);
        batch.forget_revoked(&member);
        for (list, offset) in
            [(batch.first_offsets(&member).unwrap(), 5), (batch.next_offsets(&member).unwrap(), 9)]
        {
            let kept: Vec<_> =
                list.elements().iter().map(|it| (it.partition(), it.offset())).collect();
            assert_eq!(kept, [(0, Offset::Offset(offset)), (2, Offset::Offset(offset))]);
        }
    }
}
