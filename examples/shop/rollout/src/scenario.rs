//! A scenario, and what it found.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
    pin::Pin,
    time::Duration,
};

use anyhow::Result;
use serde_json::{Value, json};

use crate::{
    client::{Kind, Seen},
    ledger::Posts,
    outcome::Counts,
    process::Exit,
    proxy::Proxy,
    server,
};

/// A way to stop servers under load.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    /// The default number of stops, or of rolling restarts: of a full run, of a cell of it that
    /// promises nothing, and of a quick run, where 0 skips the scenario.
    pub(crate) rounds: u32,
    pub(crate) measured: u32,
    pub(crate) quick: u32,
    /// The proxy that it needs.
    pub(crate) needs: Option<Proxy>,
    /// The cells of a run, in the order in which they are played.
    pub(crate) cells: fn(&Choice<'_>) -> Vec<Cell>,
    pub(crate) play: for<'a> fn(&'a Stage<'a>) -> Playing<'a>,
}

/// A cell that is played.
pub(crate) type Playing<'a> = Pin<Box<dyn Future<Output = Result<Found>> + 'a>>;

/// What of a run decides which cells a scenario has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Choice<'a> {
    pub(crate) servers: &'a [server::Kind],
    pub(crate) pauses: &'a [Duration],
    pub(crate) drain: Duration,
    pub(crate) delay: Duration,
    pub(crate) is_quick: bool,
}

/// One server, stopped in one way under one load.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cell {
    pub(crate) server: server::Kind,
    pub(crate) drain: Duration,
    pub(crate) pause: Duration,
    pub(crate) promise: Promise,
}

/// What has to be so in a cell. In each, every order that was answered was done, and exactly once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Promise {
    /// No request fails, and each server exits with 0 in time.
    NothingLost,
    /// Some request fails: the harness sees what it is there to see.
    Losses,
    /// It is only measured.
    Nothing,
}

/// Where and how a cell is played.
#[derive(Debug)]
pub(crate) struct Stage<'a> {
    pub(crate) cell: Cell,
    pub(crate) rounds: u32,
    pub(crate) clients: u32,
    pub(crate) delay: Duration,
    pub(crate) folder: &'a Path,
    /// The name of the cell's folder.
    pub(crate) name: String,
}

/// What was counted in a cell.
#[derive(Clone, Debug, Default)]
pub(crate) struct Found {
    pub(crate) kinds: BTreeMap<Kind, (Counts, Posts)>,
    pub(crate) exits: Vec<Exit>,
    /// What was seen beside the counts, and what of it is wrong.
    pub(crate) notes: Vec<String>,
    pub(crate) faults: Vec<String>,
}

impl Promise {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::NothingLost => "nothing lost",
            Self::Losses => "losses",
            Self::Nothing => "none",
        }
    }
}

impl Found {
    /// Adds what the clients of a load saw.
    pub(crate) fn add(&mut self, seen: BTreeMap<Kind, Seen>, done: &HashMap<String, u64>) {
        for (kind, seen) in seen {
            let (counts, posts) = self.kinds.entry(kind).or_default();
            counts.merge(&seen.counts);
            posts.merge(Posts::compare(&seen.posts, done));
        }
    }

    /// Adds what another run of the same cell found.
    pub(crate) fn merge(&mut self, other: Self) {
        for (kind, (counts, posts)) in other.kinds {
            let own = self.kinds.entry(kind).or_default();
            own.0.merge(&counts);
            own.1.merge(posts);
        }
        self.exits.extend(other.exits);
        self.notes.extend(other.notes);
        self.faults.extend(other.faults);
    }

    pub(crate) fn failures(&self) -> u64 {
        self.kinds.values().map(|(counts, _)| counts.failures()).sum()
    }

    /// Describes the broken promises.
    pub(crate) fn broken(&self, promise: Promise) -> Vec<String> {
        let mut broken = self.faults.clone();
        for (kind, (counts, posts)) in &self.kinds {
            let mut none = |count: u64, what: &str| {
                if count > 0 {
                    broken.push(format!("{}: {count} {what}", kind.name()));
                }
            };
            none(posts.undone, "orders answered and not done");
            none(posts.repeated, "orders done twice");
            if promise == Promise::NothingLost {
                none(counts.broken(), "requests failed");
            }
        }
        match promise {
            Promise::NothingLost => {
                let is_late = |exit: &&Exit| exit.code != Some(0);
                let late = self.exits.iter().filter(is_late).count();
                if late > 0 {
                    broken.push(format!("{late} servers were killed or failed"));
                }
            }
            Promise::Losses if self.failures() == 0 => {
                broken.push(String::from("no request failed, so this run shows nothing"));
            }
            Promise::Losses | Promise::Nothing => {}
        }
        broken
    }

    /// Returns the median and the maximum of the time from SIGTERM to the exit, and the number of
    /// servers that were killed.
    pub(crate) fn stops(&self) -> (Duration, Duration, usize) {
        let mut times: Vec<_> = self.exits.iter().map(|exit| exit.took).collect();
        times.sort();
        let median = times.get(times.len() / 2).copied().unwrap_or_default();
        let killed = self.exits.iter().filter(|exit| exit.code.is_none()).count();
        (median, times.last().copied().unwrap_or_default(), killed)
    }

    pub(crate) fn json(&self) -> Value {
        let (median, longest, killed) = self.stops();
        let kinds = self.kinds.iter().map(|(kind, (counts, posts))| {
            let mut value = counts.json();
            value["clients"] = kind.name().into();
            value["orders"] = posts.json();
            value
        });
        json!({
            "clients": kinds.collect::<Vec<_>>(),
            "notes": self.notes,
            "stops": self.exits.len(),
            "killed": killed,
            "median_stop_seconds": median.as_secs_f64(),
            "longest_stop_seconds": longest.as_secs_f64(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Post;
    use crate::outcome::Outcome;

    /// What one client of a kind found that had these outcomes, and these orders.
    fn found(outcomes: &[Outcome], posts: Vec<Post>, done: &[(&str, u64)]) -> Found {
        let mut seen = Seen { posts, ..Seen::default() };
        outcomes.iter().for_each(|outcome| seen.counts.add(*outcome));
        let done = done.iter().map(|(id, times)| ((*id).to_owned(), *times)).collect();
        let mut found = Found::default();
        found.add(BTreeMap::from([(Kind::Blind, seen)]), &done);
        found
    }

    #[test]
    fn a_failure_breaks_the_promise_of_no_loss_and_keeps_that_of_losses() {
        for outcome in [Outcome::Lost, Outcome::Refused, Outcome::Status(502), Outcome::Cut] {
            let found = found(&[Outcome::Answered, outcome], vec![], &[]);
            assert_eq!(found.broken(Promise::NothingLost), ["blind: 1 requests failed"]);
            assert!(found.broken(Promise::Losses).is_empty());
            assert!(found.broken(Promise::Nothing).is_empty());
        }
        let found = found(&[Outcome::Answered], vec![], &[]);
        assert!(found.broken(Promise::NothingLost).is_empty());
        assert_eq!(found.broken(Promise::Losses).len(), 1);
    }

    #[test]
    fn a_failure_of_the_harness_breaks_no_promise() {
        let mut found = found(&[Outcome::Lost], vec![], &[]);
        found.kinds.values_mut().for_each(|(counts, _)| counts.overslept = 1);
        assert!(found.broken(Promise::NothingLost).is_empty());
    }

    #[test]
    fn an_order_answered_and_undone_or_done_twice_breaks_every_promise() {
        let post = |id: &str| Post { id: id.to_owned(), is_answered: true };
        let found = found(&[Outcome::Lost], vec![post("a"), post("b")], &[("b", 2)]);
        for promise in [Promise::Losses, Promise::Nothing] {
            let broken = ["blind: 1 orders answered and not done", "blind: 1 orders done twice"];
            assert_eq!(found.broken(promise), broken);
        }
    }

    #[test]
    fn a_server_that_was_killed_or_failed_breaks_the_promise_of_no_loss() {
        let mut found = found(&[Outcome::Answered], vec![], &[]);
        for code in [None, Some(1), Some(0)] {
            found.exits.push(Exit { code, took: Duration::ZERO });
        }
        let broken = found.broken(Promise::NothingLost);
        assert_eq!(broken, ["2 servers were killed or failed"]);
        assert_eq!(found.stops().2, 1);
    }
}
