//! The futures that wait for a level. Each is found in constant time, and the due ones are found
//! without a look at the others. Data alone: no waker is called or dropped here.

use std::{collections::BTreeMap, mem, num::NonZeroU64, task::Waker};

use super::Wakers;

/// The index of a slot. The room for 4 billion waiters is 128 GiB, so it never ends.
type Index = u32;

/// Stands for no slot.
const NONE: Index = Index::MAX;

/// How many thresholds have a list in place. A stage has three.
const IN_PLACE: Index = 4;

/// The most slots that are kept for the next waiters once there is no waiter left.
const MAX_KEPT: usize = 64;

/// A single waiter is by far the most common case, and needs no allocation.
#[derive(Debug, Default)]
pub(super) struct Waiters {
    last_serial: u64,
    first: Option<(NonZeroU64, u64, Waker)>,
    /// Boxed: most levels never have a second waiter.
    rest: Option<Box<Slots>>,
}

/// Where a waiter is. The serial number is never used again, so a key that is out of date finds
/// nothing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key {
    serial: NonZeroU64,
    slot: Index,
}

impl Waiters {
    pub(super) fn is_empty(&self) -> bool {
        self.first.is_none() && self.rest.as_ref().is_none_or(|rest| rest.count == 0)
    }

    pub(super) fn insert(&mut self, threshold: u64, waker: Waker) -> Key {
        let serial = NonZeroU64::MIN.saturating_add(self.last_serial);
        self.last_serial = serial.get();
        if self.first.is_none() {
            self.first = Some((serial, threshold, waker));
            return Key { serial, slot: NONE };
        }
        let slot = self.rest.get_or_insert_default().insert(serial, threshold, waker);
        Key { serial, slot }
    }

    /// Returns the waker of a waiter that is still listed.
    pub(super) fn get(&self, key: Key) -> Option<&Waker> {
        if key.slot == NONE {
            let (serial, _, waker) = self.first.as_ref()?;
            return (*serial == key.serial).then_some(waker);
        }
        match &self.rest.as_ref()?.slots.get(key.slot as usize)?.content {
            Content::Waiter(serial, waker) if *serial == key.serial => Some(waker),
            Content::Waiter(..) | Content::Head(_) | Content::Empty => None,
        }
    }

    /// Removes a waiter that is still listed.
    pub(super) fn remove(&mut self, key: Key) -> Option<Waker> {
        if key.slot == NONE {
            let first = self.first.take_if(|(serial, ..)| *serial == key.serial);
            return first.map(|(_, _, waker)| waker);
        }
        self.get(key)?;
        let rest = self.rest.as_mut()?;
        let waker = rest.remove(key.slot);
        self.shrink();
        waker
    }

    /// Removes the waiters whose threshold is at most `value`.
    pub(super) fn take_due(&mut self, value: u64, due: &mut Wakers) {
        let first = self.first.take_if(|(_, threshold, _)| *threshold <= value);
        if let Some((_, _, waker)) = first {
            due.push(waker);
        }
        // Many that are due together leave with their room, and need no other.
        let is_taken = |rest: &mut Box<Slots>| rest.count > MAX_KEPT && rest.are_all_due(value);
        if let Some(rest) = self.rest.take_if(is_taken) {
            due.push_all(rest.slots);
        }
        if let Some(rest) = &mut self.rest {
            rest.take_due(value, due);
            self.shrink();
        }
    }

    /// Gives back the room of many waiters once the last of them is gone.
    fn shrink(&mut self) {
        if self.rest.as_ref().is_some_and(|rest| rest.count == 0 && rest.slots.len() > MAX_KEPT) {
            self.rest = None;
        }
    }
}

/// All waiters but one. The waiters of one threshold are a ring behind a head, in the order of
/// their arrival.
#[derive(Debug)]
struct Slots {
    /// The heads that are in place, and then waiters, further heads and empty slots.
    slots: Vec<Slot>,
    /// The first empty slot.
    free: Index,
    /// How many waiters there are.
    count: usize,
    /// The further heads, by threshold. None of these rings is empty.
    heads: BTreeMap<u64, Index>,
}

/// Small, since memory is what many waiters cost most.
#[derive(Debug)]
pub(super) struct Slot {
    previous: Index,
    /// In an empty slot, the next empty one.
    next: Index,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Waiter(NonZeroU64, Waker),
    /// Of the waiters with this threshold.
    Head(u64),
    Empty,
}

impl Slot {
    /// Makes a slot outside of any list.
    pub(super) fn of(waker: Waker) -> Self {
        let content = Content::Waiter(NonZeroU64::MIN, waker);
        Self { previous: NONE, next: NONE, content }
    }

    pub(super) fn into_waker(self) -> Option<Waker> {
        self.content.into_waker()
    }
}

impl Default for Slots {
    fn default() -> Self {
        let head = |index| Slot { previous: index, next: index, content: Content::Head(0) };
        let slots = (0..IN_PLACE).map(head).collect();
        Self { slots, free: NONE, count: 0, heads: BTreeMap::new() }
    }
}

impl Slots {
    fn at(&mut self, index: Index) -> &mut Slot {
        &mut self.slots[index as usize]
    }

    fn insert(&mut self, serial: NonZeroU64, threshold: u64, waker: Waker) -> Index {
        let head = self.head(threshold);
        let index = self.fill(Content::Waiter(serial, waker));
        let last = mem::replace(&mut self.at(head).previous, index);
        self.at(last).next = index;
        let slot = self.at(index);
        (slot.previous, slot.next) = (last, head);
        self.count += 1;
        index
    }

    /// Returns the heads in place.
    fn in_place(&self) -> impl Iterator<Item = (Index, &Slot)> {
        (0..IN_PLACE).zip(&self.slots)
    }

    /// Returns the head of the waiters with this threshold. That a threshold may have two does no
    /// harm.
    fn head(&mut self, threshold: u64) -> Index {
        let is_of = |(_, slot): &(Index, &Slot)| slot.content.is_head(|of| of == threshold);
        if let Some((index, _)) = self.in_place().find(is_of) {
            return index;
        }
        let unused = self.in_place().find(|(index, slot)| slot.next == *index);
        if let Some(index) = unused.map(|(index, _)| index) {
            self.at(index).content = Content::Head(threshold);
            return index;
        }
        if let Some(head) = self.heads.get(&threshold) {
            return *head;
        }
        let head = self.fill(Content::Head(threshold));
        let slot = self.at(head);
        (slot.previous, slot.next) = (head, head);
        self.heads.insert(threshold, head);
        head
    }

    /// Puts something in an empty slot.
    fn fill(&mut self, content: Content) -> Index {
        match self.slots.get_mut(self.free as usize) {
            Some(empty) => {
                empty.content = content;
                mem::replace(&mut self.free, empty.next)
            }
            None => {
                if self.slots.len() == self.slots.capacity() {
                    // In large steps: to move many waiters costs more than to list them.
                    self.slots.reserve(3 * self.slots.len());
                }
                self.slots.push(Slot { previous: NONE, next: NONE, content });
                (self.slots.len() - 1) as Index
            }
        }
    }

    /// Makes a slot empty.
    fn empty(&mut self, index: Index) -> Content {
        let next = mem::replace(&mut self.free, index);
        let slot = self.at(index);
        slot.next = next;
        mem::replace(&mut slot.content, Content::Empty)
    }

    fn remove(&mut self, index: Index) -> Option<Waker> {
        let Slot { previous, next, .. } = *self.at(index);
        let content = self.empty(index);
        self.at(previous).next = next;
        self.at(next).previous = previous;
        self.count -= 1;
        if previous == next && previous >= IN_PLACE {
            self.remove_unused(previous);
        }
        content.into_waker()
    }

    /// Removes a further head, if it is one, and has no waiter left.
    fn remove_unused(&mut self, head: Index) {
        if let Slot { next, content: Content::Head(threshold), .. } = *self.at(head)
            && next == head
        {
            self.heads.remove(&threshold);
            self.empty(head);
        }
    }

    fn are_all_due(&self, value: u64) -> bool {
        let is_due = |(index, slot): (Index, &Slot)| {
            slot.next == index || slot.content.is_head(|threshold| threshold <= value)
        };
        self.in_place().all(is_due) && self.heads.last_key_value().is_none_or(|(k, _)| *k <= value)
    }

    fn take_due(&mut self, value: u64, due: &mut Wakers) {
        for head in 0..IN_PLACE {
            if self.at(head).content.is_head(|threshold| threshold <= value) {
                self.take_ring(head, due);
            }
        }
        while let Some(first) = self.heads.first_entry().filter(|first| *first.key() <= value) {
            let head = first.remove();
            self.take_ring(head, due);
            self.empty(head);
        }
    }

    fn take_ring(&mut self, head: Index, due: &mut Wakers) {
        let first = self.at(head);
        first.previous = head;
        let mut index = mem::replace(&mut first.next, head);
        while index != head {
            let next = self.at(index).next;
            if let Some(waker) = self.empty(index).into_waker() {
                due.push(waker);
                self.count -= 1;
            }
            index = next;
        }
    }
}

impl Content {
    fn is_head(&self, fits: impl FnOnce(u64) -> bool) -> bool {
        match self {
            Self::Head(threshold) => fits(*threshold),
            Self::Waiter(..) | Self::Empty => false,
        }
    }

    fn into_waker(self) -> Option<Waker> {
        match self {
            Self::Waiter(_, waker) => Some(waker),
            Self::Head(_) | Self::Empty => None,
        }
    }
}
