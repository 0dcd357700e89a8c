//! The figures of all rounds with one number of tasks.

use crate::{contestant::Contestant, median::median};

/// The figures that one child measured.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Figures {
    /// Nanoseconds.
    pub(crate) wall: f64,
    pub(crate) cpu: f64,
    /// Nanoseconds of CPU up to the middle.
    pub(crate) first_cpu: f64,
    /// Bytes.
    pub(crate) memory: f64,
}

impl Figures {
    /// Reads a child's line.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let value = |name: &str| {
            let mut pairs = line.split_whitespace().filter_map(|pair| pair.split_once('='));
            pairs.find(|(own, _)| *own == name)?.1.parse::<f64>().ok()
        };
        Some(Self {
            wall: value("wall")?,
            cpu: value("cpu")?,
            first_cpu: value("first_cpu")?,
            memory: value("memory")?,
        })
    }
}

/// All rounds with one number of tasks.
#[derive(Debug)]
pub(crate) struct Series {
    pub(crate) count: usize,
    rounds: Vec<(Contestant, Vec<Figures>)>,
}

impl Series {
    pub(crate) fn new(count: usize, contestants: &[Contestant]) -> Self {
        let rounds = contestants.iter().map(|contestant| (*contestant, Vec::new())).collect();
        Self { count, rounds }
    }

    pub(crate) fn add(&mut self, contestant: Contestant, figures: Figures) {
        if let Some((_, rounds)) = self.rounds.iter_mut().find(|(own, _)| *own == contestant) {
            rounds.push(figures);
        }
    }

    pub(crate) fn has(&self, contestant: Contestant) -> bool {
        !self.of(contestant).is_empty()
    }

    /// Returns the median of a figure per task.
    pub(crate) fn per_task(&self, contestant: Contestant, of: fn(&Figures) -> f64) -> f64 {
        median(self.of(contestant).iter().map(of)) / self.count as f64
    }

    /// Returns the ratio to the reference, round by round.
    pub(crate) fn ratios(
        &self,
        contestant: Contestant,
        of: fn(&Figures) -> f64,
    ) -> impl Iterator<Item = f64> {
        let pairs = self.of(contestant).iter().zip(self.of(Contestant::REFERENCE));
        pairs.map(move |(own, reference)| of(own) / of(reference))
    }

    fn of(&self, contestant: Contestant) -> &[Figures] {
        let found = self.rounds.iter().find(|(own, _)| *own == contestant);
        found.map_or(&[], |(_, rounds)| rounds)
    }
}
