//! The lag of the assigned partitions: how much of each this group has not settled.
//!
//! Statistics know what was fetched, settled and committed, but they come only while the consumer
//! is polled, and their ends of the partitions are those of the last fetch: too low while the
//! consumer stands still. So a thread asks the brokers for the ends, every second.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{RecvTimeoutError, Sender, channel},
    },
    time::Duration,
};

use rdkafka::{
    Offset, TopicPartitionList,
    consumer::Consumer as _,
    error::KafkaResult,
    statistics::{Partition, Statistics},
};

use super::{Consumer, Membership, TopicPartition};
use crate::{Counters, PartitionLag, thread::on_thread};

/// The pause between two questions about the ends of the partitions.
const ASK_INTERVAL: Duration = Duration::from_secs(1);
/// How long the brokers may take to answer. The close of the consumer may have to wait for this.
const ASK_TIMEOUT: Duration = Duration::from_millis(500);

/// What is known about the assigned partitions.
#[derive(Debug)]
pub(super) struct Lags {
    /// In transactions, offsets are committed by the producer, which the consumer does not learn.
    is_transactional: bool,
    partitions: Mutex<BTreeMap<TopicPartition, Known>>,
}

/// What is known about one partition. To librdkafka, a negative offset is unknown.
#[derive(Debug, Default)]
struct Known {
    /// As of the last statistics that had it.
    statistics: Option<Partition>,
    /// The offset after the last one that was stored.
    stored: Option<i64>,
    /// Where its reading begins, if neither of these says it.
    start: Option<i64>,
    /// Its end, as the brokers said last; with `isolation.level=read_committed`, that of what may
    /// be read.
    end: Option<i64>,
}

impl Known {
    /// Notes what librdkafka knows. Of a partition of which nothing was taken yet, the fetch says
    /// where the reading begins: at the end, with `auto.offset.reset=latest`.
    fn note(&mut self, partition: Partition) {
        if partition.app_offset < 0 && partition.next_offset >= 0 && self.stored.is_none() {
            self.start = Some(partition.next_offset - partition.fetchq_cnt.max(0));
        }
        self.statistics = Some(partition);
    }

    /// Returns the offset up to which this group has settled the messages, or, in transactions, has
    /// received them.
    fn done(&self, is_transactional: bool) -> Option<i64> {
        let known = self.statistics.as_ref().map(|it| {
            let settled = if is_transactional { it.app_offset } else { it.stored_offset };
            settled.max(it.committed_offset).max(it.lo_offset)
        });
        known.filter(|&offset| offset >= 0).max(self.stored).max(self.start)
    }

    /// Returns the number of messages that this group has not settled, or, in transactions, not
    /// received.
    fn lag(&self, is_transactional: bool) -> i64 {
        let known = self.statistics.as_ref();
        let high = known.map(|it| it.hi_offset).filter(|&offset| offset >= 0).max(self.end);
        let (Some(done), Some(high)) = (self.done(is_transactional), high) else { return 0 };
        // At the end of a topic that is written in transactions is a marker, which nobody settles.
        // What an open transaction holds back is not read yet.
        let is_at_end = known.is_some_and(|it| {
            it.fetchq_cnt <= 0 && it.next_offset >= high && done >= it.app_offset
        });
        if is_at_end { 0 } else { (high - done).max(0) }
    }

    /// Returns whether there are messages to fetch, or fetched ones to take. By the position of the
    /// fetch and not by the stored offset, behind which there is nothing to read at the end of a
    /// topic that is written in transactions. Transactions that are open hold nothing that could be
    /// read.
    fn is_behind(&self) -> bool {
        let Some(known) = &self.statistics else {
            return self.start < self.end && self.start.is_some();
        };
        let end = if known.ls_offset < 0 { known.hi_offset } else { known.ls_offset };
        let end = Some(end).max(self.end);
        known.fetchq_cnt > 0 || known.next_offset >= 0 && Some(known.next_offset) < end
    }
}

impl Lags {
    pub(super) fn new(is_transactional: bool) -> Self {
        Self { is_transactional, partitions: Mutex::default() }
    }

    pub(super) fn assigned(&self, partitions: &[TopicPartition]) {
        let mut known = self.lock();
        for &partition in partitions {
            known.insert(partition, Known::default());
        }
    }

    pub(super) fn revoked(&self, partitions: &[TopicPartition]) {
        self.lock().retain(|partition, _| !partitions.contains(partition));
    }

    /// Notes the offset after the last one that was stored.
    pub(super) fn stored(&self, partition: TopicPartition, next: i64) {
        if let Some(known) = self.lock().get_mut(&partition) {
            known.stored = Some(next);
        }
    }

    /// Notes what librdkafka knows.
    pub(super) fn statistics(&self, member: &Membership, statistics: Statistics) {
        let mut known = self.lock();
        for (topic, statistics) in statistics.topics {
            for (_, partition) in statistics.partitions {
                let id = member.partition(&topic, partition.partition);
                if let Some(known) = known.get_mut(&id) {
                    known.note(partition);
                }
            }
        }
    }

    /// Hands the lag of each partition to the counters.
    pub(super) fn publish(&self, member: &Membership, counters: &Counters) {
        let known = self.lock();
        let lag = |(&id, known): (&TopicPartition, &Known)| PartitionLag {
            topic: member.topic(id).unwrap_or_default().to_owned(),
            partition: id.1,
            lag: known.lag(self.is_transactional).cast_unsigned(),
        };
        let is_behind = known.values().any(Known::is_behind);
        counters.set_lags(known.iter().map(lag).collect(), is_behind);
    }

    /// Asks the brokers for the ends of the assigned partitions, and where those begin that nothing
    /// is known about. Blocks for at most three times [`ASK_TIMEOUT`].
    fn ask(&self, consumer: &Consumer) -> KafkaResult<()> {
        let (native, member) = (consumer.native(), consumer.native().context());
        let list = |ids: Vec<TopicPartition>, offset| {
            let mut list = TopicPartitionList::new();
            for id in ids {
                let topic = member.topic(id).unwrap_or_default();
                list.add_partition_offset(topic, id.1, offset)?;
            }
            KafkaResult::Ok(list)
        };
        let assigned: Vec<_> = self.lock().keys().copied().collect();
        if assigned.is_empty() {
            return Ok(());
        }
        let ends = native.offsets_for_times(list(assigned, Offset::End)?, ASK_TIMEOUT)?;
        self.note(member, &ends, |known, end| known.end = Some(end));
        let unknown = |(&id, known): (&TopicPartition, &Known)| {
            known.done(self.is_transactional).is_none().then_some(id)
        };
        let new: Vec<_> = self.lock().iter().filter_map(unknown).collect();
        if new.is_empty() {
            return Ok(());
        }
        let committed = native.committed_offsets(list(new, Offset::Invalid)?, ASK_TIMEOUT)?;
        self.note(member, &committed, |known, offset| known.start = Some(offset));
        let new: Vec<_> = self.lock().iter().filter_map(unknown).collect();
        if !new.is_empty() {
            let first = native.offsets_for_times(list(new, Offset::Beginning)?, ASK_TIMEOUT)?;
            self.note(member, &first, |known, offset| known.start = Some(offset));
        }
        Ok(())
    }

    /// Notes those offsets of a list that the brokers know.
    fn note(&self, member: &Membership, list: &TopicPartitionList, note: impl Fn(&mut Known, i64)) {
        let mut known = self.lock();
        for element in list.elements() {
            let id = member.partition(element.topic(), element.partition());
            if let (Some(known), Offset::Offset(offset), Ok(())) =
                (known.get_mut(&id), element.offset(), element.error())
            {
                note(known, offset);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<TopicPartition, Known>> {
        self.partitions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The thread that asks for the ends of the partitions. Dropping this ends it, when the brokers
/// have answered. Nobody waits for it.
pub(crate) struct LagThread {
    _running: Sender<()>,
}

impl LagThread {
    pub(crate) fn start(consumer: &Arc<Consumer>) -> Self {
        let (running, ended) = channel();
        // Weak: it keeps the consumer only while it asks.
        let consumer = Arc::downgrade(consumer);
        drop(on_thread("kafka-lag", move || {
            while ended.recv_timeout(ASK_INTERVAL) == Err(RecvTimeoutError::Timeout)
                && let Some(consumer) = consumer.upgrade()
            {
                let member = consumer.native().context();
                if member.is_stopping() {
                    return;
                }
                if let Err(error) = member.lags().ask(&consumer) {
                    tracing::debug!(%error, "the ends of the partitions are not known");
                }
                member.show_lag();
            }
        }));
        Self { _running: running }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A partition of which this much was received and settled, with this end.
    fn known(app_offset: i64, stored_offset: i64, end: i64) -> Partition {
        Partition {
            app_offset,
            stored_offset,
            committed_offset: -1001,
            lo_offset: 0,
            hi_offset: end,
            ls_offset: end,
            next_offset: end,
            ..Partition::default()
        }
    }

    fn of(statistics: Partition) -> Known {
        Known { statistics: Some(statistics), ..Known::default() }
    }

    #[test]
    fn a_marker_at_the_end_is_no_lag() {
        // Messages 0 to 9, and a marker at 10.
        let partition = |app_offset, stored_offset| known(app_offset, stored_offset, 11);
        assert_eq!(of(partition(10, 10)).lag(false), 0);
        assert_eq!(of(partition(10, 7)).lag(false), 4, "three are in flight");
        assert_eq!(of(partition(10, -1001)).lag(true), 0, "in transactions nothing is stored");
        let fetched = Partition { fetchq_cnt: 5, ..partition(5, -1001) };
        assert_eq!(of(fetched).lag(true), 6);
    }

    #[test]
    fn what_came_before_the_reading_began_is_no_lag() {
        // The fetch stands at the end of 1,000 messages, of which none was taken.
        let mut latest = Known { start: Some(0), ..Known::default() };
        latest.note(known(-1001, -1001, 1_000));
        latest.end = Some(1_005);
        assert_eq!([false, true].map(|transactional| latest.lag(transactional)), [5; 2]);
        latest.note(Partition { fetchq_cnt: 5, ..known(-1001, -1001, 1_005) });
        assert_eq!(latest.lag(false), 5, "fetched, and not taken");
        latest.note(known(1_005, -1001, 1_005));
        assert_eq!(latest.lag(false), 5, "taken, and not settled");
    }

    #[test]
    fn what_an_open_transaction_holds_back_is_lag() {
        // Messages 0 to 4 are settled, and a transaction that is open holds 5 to 99.
        let held = Partition { ls_offset: 5, next_offset: 5, ..known(5, 5, 100) };
        let held = Known { end: Some(5), ..of(held) };
        assert!(!held.is_behind(), "there is nothing to fetch");
        assert_eq!([false, true].map(|transactional| held.lag(transactional)), [95; 2]);
    }

    #[test]
    fn the_end_that_the_brokers_say_counts_while_nothing_is_fetched() {
        let mut partition = of(known(10, 10, 10));
        assert_eq!((partition.lag(false), partition.is_behind()), (0, false));
        partition.end = Some(25);
        assert_eq!((partition.lag(false), partition.is_behind()), (15, true));
        partition.stored = Some(12);
        assert_eq!(partition.lag(false), 13, "settled since the last statistics");
    }

    #[test]
    fn before_any_statistics_the_lag_is_that_from_the_start() {
        let unknown = Known { end: Some(25), ..Known::default() };
        assert_eq!((unknown.lag(false), unknown.is_behind()), (0, false));
        let started = Known { start: Some(5), ..unknown };
        assert_eq!((started.lag(false), started.lag(true), started.is_behind()), (20, 20, true));
    }
}
