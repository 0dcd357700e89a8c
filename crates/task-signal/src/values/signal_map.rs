//! A map from signals, in the order of their numbers, and a set of signals.
//!
//! There are few signals, so it is a sorted list: a `BTreeMap` is 10 KiB of a program for each type
//! of its values.

use super::Signal;

#[derive(Debug)]
pub(crate) struct SignalMap<T>(Vec<(Signal, T)>);

pub(crate) type SignalSet = SignalMap<()>;

impl<T> SignalMap<T> {
    pub(crate) const fn new() -> Self {
        Self(Vec::new())
    }

    /// Returns the place of a signal, or that at which it would be.
    fn find(&self, signal: Signal) -> Result<usize, usize> {
        self.0.binary_search_by_key(&signal.number(), |(signal, _)| signal.number())
    }

    pub(crate) fn get(&self, signal: Signal) -> Option<&T> {
        self.find(signal).ok().map(|place| &self.0[place].1)
    }

    pub(crate) fn get_mut(&mut self, signal: Signal) -> Option<&mut T> {
        self.find(signal).ok().map(|place| &mut self.0[place].1)
    }

    pub(crate) fn contains(&self, signal: Signal) -> bool {
        self.find(signal).is_ok()
    }

    /// Returns the value of a signal, which is `default` if it had none.
    pub(crate) fn get_or_insert(&mut self, signal: Signal, default: T) -> &mut T {
        let place = self.find(signal).unwrap_or_else(|place| {
            self.0.insert(place, (signal, default));
            place
        });
        &mut self.0[place].1
    }

    pub(crate) fn insert(&mut self, signal: Signal, value: T) {
        match self.find(signal) {
            Ok(place) => self.0[place].1 = value,
            Err(place) => self.0.insert(place, (signal, value)),
        }
    }

    pub(crate) fn remove(&mut self, signal: Signal) -> Option<T> {
        self.find(signal).ok().map(|place| self.0.remove(place).1)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn signals(&self) -> impl Iterator<Item = Signal> {
        self.0.iter().map(|(signal, _)| *signal)
    }
}

impl SignalSet {
    /// Adds a signal, and returns whether it was not there.
    pub(crate) fn add(&mut self, signal: Signal) -> bool {
        let place = self.find(signal);
        if let Err(place) = place {
            self.0.insert(place, (signal, ()));
        }
        place.is_err()
    }
}

impl<T> Default for SignalMap<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl Extend<Signal> for SignalSet {
    fn extend<I: IntoIterator<Item = Signal>>(&mut self, signals: I) {
        signals.into_iter().for_each(|signal| _ = self.add(signal));
    }
}

impl FromIterator<Signal> for SignalSet {
    fn from_iter<I: IntoIterator<Item = Signal>>(signals: I) -> Self {
        let mut set = Self::new();
        set.extend(signals);
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_has_each_signal_once_in_the_order_of_numbers() {
        let mut set: SignalSet = [15, 2, 15, 64, 1].map(Signal::new).into_iter().collect();
        assert!(!set.add(Signal::new(64)));
        assert!(set.add(Signal::new(3)));
        assert_eq!(set.signals().map(Signal::number).collect::<Vec<_>>(), [1, 2, 3, 15, 64]);
        assert!(set.contains(Signal::new(3)) && !set.contains(Signal::new(4)));
    }

    #[test]
    fn a_map_replaces_keeps_and_removes_values() {
        let mut map = SignalMap::new();
        let [low, high] = [2, 15].map(Signal::new);
        map.insert(high, 'a');
        map.insert(high, 'b');
        assert_eq!(*map.get_or_insert(high, 'c'), 'b');
        assert_eq!(*map.get_or_insert(low, 'd'), 'd');
        map.get_mut(low).into_iter().for_each(|value| *value = 'e');
        assert_eq!((map.get(low), map.get(high)), (Some(&'e'), Some(&'b')));
        assert_eq!((map.remove(high), map.remove(high), map.get(high)), (Some('b'), None, None));
        assert!(!map.is_empty() && map.signals().eq([low]));
    }
}
