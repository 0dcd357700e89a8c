//! The samples of a family, grouped by their labels: OpenMetrics has all samples with the same
//! labels in a row. The order of the labels does not matter.

use std::{borrow::Cow, collections::HashMap};

use super::line::{Sample, classic, push_label};

/// A sample in its place: the number of its group, and the suffix of its name.
pub(super) type Placed<'f, 'a> = (usize, &'static str, &'f Sample<'a>);

/// Groups samples while they are added.
pub(super) struct Groups<'f, 'a> {
    /// The label that tells the samples of a group apart: `le` or `quantile`.
    apart: Option<&'static str>,
    numbers: HashMap<String, usize>,
    labels: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    key: String,
    last: String,
    placed: Vec<Placed<'f, 'a>>,
}

impl<'f, 'a> Groups<'f, 'a> {
    /// Makes groups of samples whose labels are the same, but for `apart`.
    pub(super) fn new(apart: Option<&'static str>) -> Self {
        Self {
            apart,
            numbers: HashMap::new(),
            labels: Vec::new(),
            key: String::new(),
            last: String::new(),
            placed: Vec::new(),
        }
    }

    /// Adds a sample. Returns whether its group is new.
    pub(super) fn add(&mut self, suffix: &'static str, sample: &'f Sample<'a>) -> bool {
        let apart = self.apart;
        let labels =
            sample.labels.iter().filter(|(name, _)| apart.is_none_or(|apart| apart != name));
        self.labels.clear();
        self.labels.extend(labels.map(|(name, value)| (classic(name, '_'), value)));
        self.labels.sort_unstable();
        self.key.clear();
        for (name, value) in &self.labels {
            push_label(&mut self.key, name, value);
        }
        if let Some((number, ..)) = self.placed.last().filter(|_| self.key == self.last) {
            self.placed.push((*number, suffix, sample));
            return false;
        }
        let known = self.numbers.len();
        let number = *self.numbers.entry(self.key.clone()).or_insert(known);
        std::mem::swap(&mut self.key, &mut self.last);
        self.placed.push((number, suffix, sample));
        number == known
    }

    /// Returns the samples, group by group.
    pub(super) fn finish(mut self) -> Vec<Placed<'f, 'a>> {
        // Stable: within a group, the order stays.
        self.placed.sort_by_key(|(number, ..)| *number);
        self.placed
    }
}
