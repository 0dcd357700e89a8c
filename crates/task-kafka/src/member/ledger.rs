//! The ledger: which messages are in flight, which of them may be transformed next, and which
//! offsets may be stored. A pure state machine.
//!
//! A message is admitted, started, finished (its records are sent) and settled (they are delivered,
//! and its effect is written). Three rules hold at each step:
//!
//! 1. An offset is stored once every message up to it, in its assignment, is settled. So what was
//!    not settled is read again, whichever messages overtook it.
//! 2. Messages of one lane, that is, of one key or partition, are started one after the other, in
//!    their order, each after the one before is finished.
//! 3. A message is admitted while there is room: fewer messages that are not stored, and fewer
//!    bytes that are not settled, than the limits.
//!
//! A partition that is revoked takes its messages along: their tickets are stale from then on, and
//! whatever becomes of them changes nothing but the lane that they hold.

#[cfg(test)]
mod tests;

use std::{
    collections::{HashMap, VecDeque, hash_map::Entry as Slot},
    hash::{BuildHasher as _, RandomState},
};

use crate::Order;

/// A partition: the index of its topic in the settings, and its number.
pub(crate) type TopicPartition = (usize, i32);

/// The messages in flight. `J` is what a worker needs of a message.
#[derive(Debug)]
pub(crate) struct Ledger<J> {
    order: Order,
    limits: Room,
    used: Room,
    partitions: Vec<Partition>,
    /// The lanes in use, with the messages that wait for them. A lane is in use while a message of
    /// it is ready or started.
    lanes: HashMap<u64, VecDeque<(Ticket, J)>>,
    hasher: RandomState,
    /// The messages that may be started, the next one first.
    ready: VecDeque<(Ticket, J)>,
    /// The messages that are admitted and not finished.
    unfinished: usize,
    revocations: u64,
    /// The partitions that were revoked, with the number of their last revocation.
    revoked: Vec<(TopicPartition, u64)>,
    is_stopping: bool,
    /// Whether a message was abandoned: what came after it would overtake it.
    has_abandoned: bool,
}

/// An amount of messages, and of their bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Room {
    pub(crate) messages: usize,
    pub(crate) bytes: usize,
}

/// A message that was admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket {
    pub(crate) partition: TopicPartition,
    pub(crate) offset: i64,
    /// Its ordinal in the assignment of the partition. Offsets have gaps, and may go back after the
    /// loss of a leader.
    sequence: u64,
    /// The number of revocations at its admission.
    revocations: u64,
    lane: Option<u64>,
}

/// Messages of one partition whose offsets may be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Settled {
    pub(crate) partition: TopicPartition,
    pub(crate) messages: usize,
    pub(crate) last_offset: i64,
}

/// The messages in flight of one partition. A member has few enough for a linear search.
#[derive(Debug)]
struct Partition {
    id: TopicPartition,
    /// The ordinal of the first entry.
    first: u64,
    entries: VecDeque<Entry>,
}

#[derive(Debug)]
struct Entry {
    offset: i64,
    bytes: usize,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting,
    Started,
    Finished,
    Settled,
    /// It is not transformed any more: no offset from here on is stored.
    Abandoned,
}

impl<J> Ledger<J> {
    pub(crate) fn new(order: Order, limits: Room) -> Self {
        Self {
            order,
            limits,
            used: Room { messages: 0, bytes: 0 },
            partitions: Vec::new(),
            lanes: HashMap::new(),
            hasher: RandomState::new(),
            ready: VecDeque::new(),
            unfinished: 0,
            revocations: 0,
            revoked: Vec::new(),
            is_stopping: false,
            has_abandoned: false,
        }
    }

    /// Returns whether another message may be admitted. A message that is larger than what is left
    /// of the bytes is admitted, so that none is too large for ever. None is after one was
    /// [abandoned](Self::abandon).
    pub(crate) fn has_room(&self) -> bool {
        let is_free =
            self.used.messages < self.limits.messages && self.used.bytes < self.limits.bytes;
        is_free && !self.has_abandoned
    }

    /// Returns whether at most half of the room is used.
    pub(crate) fn has_half_its_room(&self) -> bool {
        self.used.messages <= self.limits.messages / 2 && self.used.bytes <= self.limits.bytes / 2
    }

    /// Returns whether a message may be started.
    pub(crate) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Returns the number of messages that are admitted and not finished.
    pub(crate) fn unfinished(&self) -> usize {
        self.unfinished
    }

    /// Returns how often partitions were revoked.
    pub(crate) fn revocations(&self) -> u64 {
        self.revocations
    }

    /// Admits a message, to be [started](Self::start). It is dropped after a stop, and after a
    /// message was [abandoned](Self::abandon).
    pub(crate) fn admit(
        &mut self,
        partition: TopicPartition,
        offset: i64,
        key: Option<&[u8]>,
        bytes: usize,
        job: J,
    ) {
        if self.is_stopping || self.has_abandoned {
            return;
        }
        let lane = match self.order {
            Order::Key => key.map(|key| self.hasher.hash_one((partition, key))),
            Order::Partition => Some(self.hasher.hash_one(partition)),
            Order::None => None,
        };
        let ticket = self.push(partition, Entry { offset, bytes, state: State::Waiting }, lane);
        self.unfinished += 1;
        // Keys whose hashes are equal share a lane, which costs a wait and no order.
        match lane.map(|lane| self.lanes.entry(lane)) {
            Some(Slot::Occupied(mut waiting)) => return waiting.get_mut().push_back((ticket, job)),
            Some(Slot::Vacant(lane)) => _ = lane.insert(VecDeque::new()),
            None => {}
        }
        self.ready.push_back((ticket, job));
    }

    /// Admits a message that was transformed and sent by the one who received it, when there had
    /// been this many revocations.
    pub(crate) fn admit_finished(
        &mut self,
        partition: TopicPartition,
        offset: i64,
        bytes: usize,
        revocations: u64,
    ) -> Ticket {
        if self.is_revoked_since(partition, revocations) {
            return Ticket { partition, offset, sequence: 0, revocations, lane: None };
        }
        self.push(partition, Entry { offset, bytes, state: State::Finished }, None)
    }

    /// Returns the next message to transform, if one may be started.
    pub(crate) fn start(&mut self) -> Option<(Ticket, J)> {
        let (ticket, job) = self.ready.pop_front()?;
        self.set(ticket, State::Started);
        Some((ticket, job))
    }

    /// Notes that a started message was transformed, and its records sent. The next one of its lane
    /// may be started.
    pub(crate) fn finish(&mut self, ticket: Ticket) {
        if self.set(ticket, State::Finished).is_some() {
            self.unfinished -= 1;
        }
        self.advance(ticket.lane);
    }

    /// Notes that a started message will not be finished, because of a stop or a failure. Nothing
    /// after it in its lane is started: that would break the order once it is read again. Nothing
    /// is admitted from then on, until all is [forgotten](Self::clear): neither may the offset of a
    /// later message be stored, nor may one of its lane be started.
    pub(crate) fn abandon(&mut self, ticket: Ticket) {
        if self.set(ticket, State::Abandoned).is_some() {
            self.unfinished -= 1;
            self.has_abandoned = true;
            let behind = ticket.lane.and_then(|lane| self.lanes.get_mut(&lane)).map(std::mem::take);
            for (behind, _) in behind.into_iter().flatten() {
                if self.set(behind, State::Abandoned).is_some() {
                    self.unfinished -= 1;
                }
            }
            self.trim(&[ticket.partition]);
        }
        self.advance(ticket.lane);
    }

    /// Notes that messages are done. Returns those whose offsets may be stored now, by partition,
    /// and the number of those that are read again because their partition was revoked.
    pub(crate) fn settle(&mut self, done: impl Iterator<Item = Ticket>) -> (Vec<Settled>, usize) {
        let (mut all, mut stale) = (Vec::<Settled>::new(), 0);
        for ticket in done {
            let Some(bytes) = self.set(ticket, State::Settled) else {
                stale += 1;
                continue;
            };
            self.used.bytes -= bytes;
            let Some(partition) = self.find(ticket.partition) else { continue };
            let mut messages = 0;
            let mut last_offset = ticket.offset;
            while let Some(entry) = partition.entries.front()
                && entry.state == State::Settled
            {
                last_offset = entry.offset;
                messages += 1;
                partition.first += 1;
                partition.entries.pop_front();
            }
            self.used.messages -= messages;
            match all.iter_mut().find(|settled| settled.partition == ticket.partition) {
                _ if messages == 0 => {}
                Some(settled) => {
                    settled.messages += messages;
                    settled.last_offset = last_offset;
                }
                None => {
                    all.push(Settled { partition: ticket.partition, messages, last_offset });
                }
            }
        }
        (all, stale)
    }

    /// Drops the messages of these partitions that need not be transformed before a revocation:
    /// those with no started message behind them. The others are needed for the offsets of what was
    /// started.
    pub(crate) fn trim(&mut self, partitions: &[TopicPartition]) {
        for partition in &mut self.partitions {
            if !partitions.contains(&partition.id) {
                continue;
            }
            while let Some(entry) = partition.entries.back()
                && matches!(entry.state, State::Waiting | State::Abandoned)
            {
                self.used.messages -= 1;
                self.used.bytes -= entry.bytes;
                self.unfinished -= usize::from(entry.state == State::Waiting);
                partition.entries.pop_back();
            }
        }
        self.drop_jobs();
    }

    /// Drops the messages that need not be transformed before a stop, as [`trim`](Self::trim) does.
    /// Nothing is started that is admitted after it.
    pub(crate) fn stop(&mut self) {
        self.is_stopping = true;
        let all: Vec<_> = self.partitions.iter().map(|partition| partition.id).collect();
        self.trim(&all);
    }

    /// Forgets all messages of these partitions, which were revoked. Returns the number of those
    /// that were settled and whose offsets were not stored: they are read again.
    pub(crate) fn revoke(&mut self, partitions: &[TopicPartition]) -> usize {
        self.revocations += 1;
        let mut settled = 0;
        for &id in partitions {
            match self.revoked.iter_mut().find(|(known, _)| *known == id) {
                Some((_, last)) => *last = self.revocations,
                None => self.revoked.push((id, self.revocations)),
            }
            let Some(index) = self.partitions.iter().position(|known| known.id == id) else {
                continue;
            };
            for entry in self.partitions.swap_remove(index).entries {
                self.used.messages -= 1;
                match entry.state {
                    State::Settled => settled += 1,
                    State::Waiting | State::Started => {
                        self.unfinished -= 1;
                        self.used.bytes -= entry.bytes;
                    }
                    State::Finished | State::Abandoned => self.used.bytes -= entry.bytes,
                }
            }
        }
        self.drop_jobs();
        settled
    }

    /// Forgets all messages, also that one was abandoned.
    pub(crate) fn clear(&mut self) {
        let all: Vec<_> = self.partitions.iter().map(|partition| partition.id).collect();
        self.revoke(&all);
        self.has_abandoned = false;
    }

    /// Returns whether no message of these partitions is in flight.
    pub(crate) fn is_settled(&self, partitions: &[TopicPartition]) -> bool {
        let mut known = self.partitions.iter().filter(|it| partitions.contains(&it.id));
        known.all(|partition| partition.entries.is_empty())
    }

    /// Returns the offset after the last message of each partition, or `None` if a message is not
    /// finished.
    pub(crate) fn next_offsets(&self) -> Option<Vec<(TopicPartition, i64)>> {
        let mut entries = self.partitions.iter().flat_map(|partition| &partition.entries);
        if entries.any(|entry| entry.state != State::Finished) {
            return None;
        }
        let next = |it: &Partition| Some((it.id, it.entries.back()?.offset + 1));
        Some(self.partitions.iter().filter_map(next).collect())
    }

    /// Returns whether this message was not revoked.
    pub(crate) fn is_current(&self, ticket: Ticket) -> bool {
        !self.is_revoked_since(ticket.partition, ticket.revocations)
    }

    /// Returns whether this partition was revoked after there had been this many revocations.
    pub(crate) fn is_revoked_since(&self, partition: TopicPartition, revocations: u64) -> bool {
        self.revocations > revocations
            && self.revoked.iter().any(|&(id, last)| id == partition && last > revocations)
    }

    fn push(&mut self, id: TopicPartition, entry: Entry, lane: Option<u64>) -> Ticket {
        self.used.messages += 1;
        self.used.bytes += entry.bytes;
        let index = self.partitions.iter().position(|known| known.id == id).unwrap_or_else(|| {
            self.partitions.push(Partition { id, first: 0, entries: VecDeque::new() });
            self.partitions.len() - 1
        });
        let partition = &mut self.partitions[index];
        let sequence = partition.first + partition.entries.len() as u64;
        let ticket = Ticket {
            partition: id,
            offset: entry.offset,
            sequence,
            revocations: self.revocations,
            lane,
        };
        partition.entries.push_back(entry);
        ticket
    }

    /// Sets the state of a message, and returns its bytes; `None` if its ticket is stale.
    fn set(&mut self, ticket: Ticket, state: State) -> Option<usize> {
        if !self.is_current(ticket) {
            return None;
        }
        let partition = self.find(ticket.partition)?;
        let index = ticket.sequence.checked_sub(partition.first)?;
        let entry = partition.entries.get_mut(usize::try_from(index).ok()?)?;
        entry.state = state;
        Some(entry.bytes)
    }

    fn find(&mut self, id: TopicPartition) -> Option<&mut Partition> {
        self.partitions.iter_mut().find(|partition| partition.id == id)
    }

    /// Makes the next message of a lane ready. It is older than what is ready, and holds back more
    /// offsets, so it goes first.
    fn advance(&mut self, lane: Option<u64>) {
        let Some(lane) = lane else { return };
        match self.lanes.get_mut(&lane).and_then(VecDeque::pop_front) {
            Some(next) => self.ready.push_front(next),
            None => _ = self.lanes.remove(&lane),
        }
    }

    /// Drops what the workers need of messages that are not in flight any more.
    fn drop_jobs(&mut self) {
        let mut lanes = std::mem::take(&mut self.lanes);
        let mut ready = std::mem::take(&mut self.ready);
        for waiting in lanes.values_mut() {
            waiting.retain(|(ticket, _)| self.is_waiting(*ticket));
        }
        let mut free = Vec::new();
        ready.retain(|(ticket, _)| {
            let is_kept = self.is_waiting(*ticket);
            if !is_kept {
                free.push(ticket.lane);
            }
            is_kept
        });
        (self.lanes, self.ready) = (lanes, ready);
        for lane in free {
            self.advance(lane);
        }
    }

    /// Returns whether a message is in flight and not started.
    fn is_waiting(&self, ticket: Ticket) -> bool {
        let partition = self.partitions.iter().find(|known| known.id == ticket.partition);
        self.is_current(ticket)
            && partition.is_some_and(|it| ticket.sequence < it.first + it.entries.len() as u64)
    }
}
