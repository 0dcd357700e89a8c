//! Random lives of a ledger beside a naive model: a list of all messages that were ever admitted.

use std::collections::HashSet;

use super::*;

/// A small generator of pseudo-random numbers (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }

    fn pick<T: Copy>(&mut self, all: &[T]) -> Option<T> {
        (!all.is_empty()).then(|| all[self.below(all.len())])
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Was {
    Admitted,
    Started,
    Finished,
    Settled,
    Abandoned,
    /// By a stop or a revocation, before it was started.
    Dropped,
}

#[derive(Debug)]
struct Message {
    partition: TopicPartition,
    offset: i64,
    key: Option<u8>,
    bytes: usize,
    was: Was,
    ticket: Option<Ticket>,
    is_revoked: bool,
    is_stored: bool,
}

struct Life {
    random: Random,
    order: Order,
    limits: Room,
    ledger: Ledger<usize>,
    all: Vec<Message>,
    offsets: [i64; 3],
    stored: [i64; 3],
    is_stopping: bool,
    has_abandoned: bool,
}

impl Life {
    fn new(seed: u64) -> Self {
        let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        let order = [Order::Key, Order::Partition, Order::None][random.below(3)];
        let limits = Room { messages: 1 + random.below(20), bytes: 1 + random.below(200) };
        let ledger = Ledger::new(order, limits);
        let (offsets, stored) = ([0; 3], [-1; 3]);
        Self {
            random,
            order,
            limits,
            ledger,
            all: Vec::new(),
            offsets,
            stored,
            is_stopping: false,
            has_abandoned: false,
        }
    }

    fn with(&self, was: Was) -> Vec<usize> {
        (0..self.all.len()).filter(|&id| self.all[id].was == was).collect()
    }

    /// The messages that the ledger has to count.
    fn held(&self) -> impl Iterator<Item = &Message> {
        self.all.iter().filter(|it| !it.is_revoked && !it.is_stored && it.was != Was::Dropped)
    }

    fn is_one_lane(&self, one: usize, other: usize) -> bool {
        let (one, other) = (&self.all[one], &self.all[other]);
        one.partition == other.partition
            && match self.order {
                Order::Key => one.key.is_some() && one.key == other.key,
                Order::Partition => true,
                Order::None => false,
            }
    }

    fn step(&mut self) {
        match self.random.below(40) {
            0..14 if self.has_abandoned || self.ledger.has_room() => self.admit(),
            14..24 => self.start(),
            24..31 => self.finish(),
            31..38 => self.settle(),
            38 if self.random.below(3) == 0 => self.revoke(),
            39 if self.random.below(8) == 0 => self.stop(),
            _ => {}
        }
        self.check();
    }

    fn admit(&mut self) {
        let number = self.random.below(3);
        let partition = (0, i32::try_from(number).unwrap_or(0));
        // Gaps, and now and then a step back.
        self.offsets[number] += 1 + self.random.below(3) as i64;
        if self.random.below(50) == 0 {
            self.offsets[number] -= 5;
        }
        let offset = self.offsets[number];
        let (key, bytes) = (self.random.below(5), self.random.below(60));
        let key = u8::try_from(key).ok().filter(|&key| key > 0);
        let key_bytes = key.map(|key| [key]);
        if self.is_stopping || self.has_abandoned {
            // It is dropped.
            let key = key_bytes.as_ref().map(|it| &it[..]);
            return self.ledger.admit(partition, offset, key, bytes, usize::MAX);
        }
        let used: usize = self.bytes();
        assert!(used < self.limits.bytes && self.held().count() < self.limits.messages);
        if self.random.below(10) == 0 {
            // Transformed by the one who received it.
            let revocations = self.ledger.revocations();
            let ticket = Some(self.ledger.admit_finished(partition, offset, bytes, revocations));
            let (is_revoked, is_stored) = (false, false);
            let was = Was::Finished;
            let key = None;
            let message =
                Message { partition, offset, key, bytes, was, ticket, is_revoked, is_stored };
            return self.all.push(message);
        }
        let id = self.all.len();
        self.ledger.admit(partition, offset, key_bytes.as_ref().map(|it| &it[..]), bytes, id);
        self.all.push(Message {
            partition,
            offset,
            key,
            bytes,
            was: Was::Admitted,
            ticket: None,
            is_revoked: false,
            is_stored: false,
        });
    }

    /// The messages that may be started: no earlier one of their lane waits or is being worked on.
    fn startable(&self) -> HashSet<usize> {
        let is_open = |id: usize| matches!(self.all[id].was, Was::Admitted | Was::Started);
        let waiting = self.with(Was::Admitted);
        let mut free: HashSet<usize> = waiting.iter().copied().collect();
        free.retain(|&id| (0..id).all(|other| !is_open(other) || !self.is_one_lane(id, other)));
        free
    }

    fn start(&mut self) {
        let startable = self.startable();
        let Some((ticket, id)) = self.ledger.start() else {
            assert!(startable.is_empty(), "{startable:?} could be started");
            return;
        };
        assert!(startable.contains(&id), "{id} was started before its turn");
        self.all[id].was = Was::Started;
        self.all[id].ticket = Some(ticket);
    }

    fn finish(&mut self) {
        let Some(id) = self.random.pick(&self.with(Was::Started)) else { return };
        let Some(ticket) = self.all[id].ticket else { return };
        let is_stale = self.all[id].is_revoked;
        assert_eq!(self.ledger.is_current(ticket), !is_stale);
        // A worker abandons what was revoked, its message at a stop, and the one that it fails at.
        let one_in = if self.is_stopping { 4 } else { 100 };
        if is_stale || self.random.below(one_in) == 0 {
            self.ledger.abandon(ticket);
            self.has_abandoned |= !is_stale;
            self.all[id].was = Was::Abandoned;
            for other in (id + 1)..self.all.len() {
                if self.all[other].was == Was::Admitted && !is_stale && self.is_one_lane(id, other)
                {
                    self.all[other].was = Was::Abandoned;
                }
            }
            if !is_stale {
                self.drop_tail(self.all[id].partition);
            }
        } else {
            self.ledger.finish(ticket);
            self.all[id].was = Was::Finished;
        }
    }

    fn settle(&mut self) {
        let mut ids = self.with(Was::Finished);
        while ids.len() > 1 && self.random.below(3) > 0 {
            ids.swap_remove(self.random.below(ids.len()));
        }
        let tickets: Vec<_> = ids.iter().filter_map(|&id| self.all[id].ticket).collect();
        let (stored, stale) = self.ledger.settle(tickets.into_iter());
        assert_eq!(stale, ids.iter().filter(|&&id| self.all[id].is_revoked).count());
        for id in ids {
            self.all[id].was = Was::Settled;
        }
        for number in 0..3 {
            let partition = (0, i32::try_from(number).unwrap_or(0));
            // The prefix of settled messages of this assignment.
            let mut prefix = Vec::new();
            for id in 0..self.all.len() {
                let it = &self.all[id];
                if it.partition != partition || it.is_revoked || it.was == Was::Dropped {
                    continue;
                }
                if it.was != Was::Settled {
                    break;
                }
                if !it.is_stored {
                    prefix.push(id);
                }
            }
            let expected = prefix.last().map(|&last| Settled {
                partition,
                messages: prefix.len(),
                last_offset: self.all[last].offset,
            });
            assert_eq!(stored.iter().find(|it| it.partition == partition), expected.as_ref());
            for id in prefix {
                self.all[id].is_stored = true;
                self.stored[number] = self.all[id].offset;
            }
        }
    }

    /// Drops the messages at the end of a partition that no started one needs.
    fn drop_tail(&mut self, partition: TopicPartition) {
        for it in self.all.iter_mut().rev() {
            if it.partition != partition || it.is_revoked || it.is_stored {
                continue;
            }
            match it.was {
                Was::Admitted | Was::Abandoned => it.was = Was::Dropped,
                Was::Dropped => {}
                Was::Started | Was::Finished | Was::Settled => break,
            }
        }
    }

    fn revoke(&mut self) {
        let number = self.random.below(3);
        let partition = (0, i32::try_from(number).unwrap_or(0));
        if self.random.below(2) == 0 {
            // In order: with time for what was started.
            self.ledger.trim(&[partition]);
            self.drop_tail(partition);
            self.check();
            for _ in 0..self.random.below(10) {
                match self.random.below(3) {
                    0 => self.start(),
                    1 => self.finish(),
                    _ => self.settle(),
                }
            }
        }
        let lost = |it: &&mut Message| it.partition == partition && !it.is_revoked && !it.is_stored;
        let mut settled = 0;
        for it in self.all.iter_mut().filter(lost) {
            it.is_revoked = true;
            match it.was {
                Was::Settled => settled += 1,
                Was::Admitted => it.was = Was::Dropped,
                _ => {}
            }
        }
        for it in self.all.iter_mut().filter(|it| it.partition == partition) {
            it.is_revoked = true;
        }
        assert_eq!(self.ledger.revoke(&[partition]), settled);
        assert!(self.ledger.is_settled(&[partition]));
    }

    fn stop(&mut self) {
        self.is_stopping = true;
        self.ledger.stop();
        for number in 0..3 {
            self.drop_tail((0, number));
        }
    }

    fn bytes(&self) -> usize {
        self.held().filter(|it| it.was != Was::Settled).map(|it| it.bytes).sum()
    }

    fn check(&self) {
        let used = Room { messages: self.held().count(), bytes: self.bytes() };
        assert_eq!(self.ledger.used, used);
        assert!(used.messages <= self.limits.messages);
        let is_open = |it: &&Message| matches!(it.was, Was::Admitted | Was::Started);
        assert_eq!(self.ledger.unfinished(), self.held().filter(is_open).count());
        let held: HashSet<_> = self.held().map(|it| it.partition).collect();
        for number in 0..3 {
            assert_eq!(self.ledger.is_settled(&[(0, number)]), !held.contains(&(0, number)));
        }
        let all_finished = self.held().all(|it| it.was == Was::Finished);
        assert_eq!(self.ledger.next_offsets().is_some(), all_finished);
        for (partition, next) in self.ledger.next_offsets().into_iter().flatten() {
            let last = self.held().filter(|it| it.partition == partition).last();
            assert_eq!(Some(next - 1), last.map(|it| it.offset));
        }
    }

    /// Lets all that is left finish: it has to, and to leave nothing behind.
    fn end(&mut self) {
        loop {
            let before = (self.startable().len(), self.with(Was::Started).len());
            self.start();
            self.finish();
            self.check();
            if before == (0, 0) {
                break;
            }
        }
        while !self.with(Was::Finished).is_empty() {
            self.settle();
        }
        self.check();
        assert!(self.ledger.lanes.is_empty() && self.ledger.ready.is_empty());
        if !self.all.iter().any(|it| it.was == Was::Abandoned) {
            assert_eq!(self.ledger.used, Room { messages: 0, bytes: 0 }, "all is stored");
        }
        self.ledger.clear();
        assert_eq!(self.ledger.used, Room { messages: 0, bytes: 0 });
        assert_eq!(self.ledger.unfinished(), 0);
    }
}

#[test]
fn random_lives_keep_the_offsets_the_order_and_the_limits() {
    let (mut stored, mut revoked, mut abandoned) = (0, 0, 0);
    for seed in 0..3000 {
        let mut life = Life::new(seed);
        for _ in 0..150 {
            life.step();
        }
        life.end();
        stored += life.all.iter().filter(|it| it.is_stored).count();
        revoked += life.all.iter().filter(|it| it.is_revoked).count();
        abandoned += life.all.iter().filter(|it| it.was == Was::Abandoned).count();
    }
    assert!(
        stored > 30_000 && revoked > 5_000 && abandoned > 500,
        "{stored} {revoked} {abandoned}"
    );
}

/// Between the failure of a worker and the stop of the task, messages are received.
#[test]
fn nothing_is_admitted_behind_an_abandoned_message_until_all_is_forgotten() {
    for order in [Order::Key, Order::Partition, Order::None] {
        let mut ledger = Ledger::new(order, Room { messages: 5, bytes: 10 });
        ledger.admit((0, 0), 7, Some(b"key"), 1, ());
        let failed = ledger.start().expect("it is ready").0;
        ledger.abandon(failed);
        ledger.admit((0, 0), 8, Some(b"key"), 1, ());
        assert!(ledger.start().is_none(), "{order:?}: it overtakes the one that is read again");
        assert!(!ledger.has_room() && ledger.unfinished() == 0);

        ledger.clear();
        assert!(ledger.has_room());
        ledger.admit((0, 0), 7, Some(b"key"), 1, ());
        assert!(ledger.start().is_some());
    }
}

#[test]
fn a_message_that_is_larger_than_all_bytes_is_admitted() {
    let mut ledger = Ledger::new(Order::Key, Room { messages: 5, bytes: 10 });
    assert!(ledger.has_room());
    ledger.admit((0, 0), 0, None, 100, ());
    assert!(!ledger.has_room());
    let ticket = ledger.start().expect("it is ready").0;
    ledger.finish(ticket);
    assert!(!ledger.has_room(), "its effect is not written");
    let (stored, stale) = ledger.settle([ticket].into_iter());
    assert_eq!((stored.len(), stale), (1, 0));
    assert!(ledger.has_room() && ledger.has_half_its_room());
}
