//! The table of results, a line per scenario.

use std::time::Duration;

use crate::{
    exits::{codes, times},
    judge::Tally,
    scenario::{Promise, Scenario},
    stage::Outcome,
};

/// The results of all stages of one scenario.
pub(crate) struct Line {
    pub(crate) scenario: &'static Scenario,
    pub(crate) rounds: u32,
    pub(crate) outcome: Outcome,
    pub(crate) took: Duration,
}

impl Line {
    /// Describes the broken promises.
    pub(crate) fn broken(&self) -> Vec<String> {
        let Outcome { tally, bound, faults, .. } = &self.outcome;
        let mut broken = faults.clone();
        let mut must_be_none = |count: u64, what: &str| {
            if count > 0 {
                broken.push(format!("{count} {what}"));
            }
        };
        must_be_none(tally.lost, "lost");
        must_be_none(tally.rows_lost, "rows lost");
        must_be_none(tally.unfed, "that churn could not deliver to the input topic");
        must_be_none(tally.unexpected, "not fed, or in the wrong topic");
        must_be_none(tally.disputed, "that not all readers saw at one place");
        match self.scenario.promise {
            Promise::Exact => {
                must_be_none(tally.duplicates, "duplicates");
                must_be_none(tally.misordered, "out of order");
            }
            Promise::Bounded => {
                must_be_none(
                    tally.duplicates.saturating_sub(*bound),
                    "duplicates beyond the bound",
                );
                must_be_none(tally.misordered, "out of order");
            }
            Promise::NothingLost => {}
        }
        broken
    }
}

/// The head of the table.
pub(crate) fn head() -> String {
    format!(
        "{:<12} {:>6} {:>7} {:>5} {:>10} {:>7} {:>8} {:>7} {:>7}  {:<16} {:>8} {:>8} {:>6}  {}",
        "scenario",
        "rounds",
        "fed",
        "lost",
        "duplicates",
        "bound",
        "disorder",
        "aborted",
        "unknown",
        "exit codes",
        "median",
        "max",
        "took",
        "promise"
    )
}

pub(crate) fn line(line: &Line) -> String {
    let Line { scenario, rounds, outcome, took } = line;
    let Tally { fed, lost, rows_lost, duplicates, misordered, aborted, .. } = outcome.tally;
    let lost = lost.max(rows_lost);
    let bound = match scenario.promise {
        Promise::Exact => String::from("0"),
        Promise::Bounded => outcome.bound.to_string(),
        Promise::NothingLost => String::from("-"),
    };
    let (median, most) = match times(&outcome.exits) {
        Some((median, most)) => (seconds(median), seconds(most)),
        None => (String::from("-"), String::from("-")),
    };
    let verdict = if line.broken().is_empty() { "kept" } else { "BROKEN" };
    format!(
        "{:<12} {rounds:>6} {fed:>7} {lost:>5} {duplicates:>10} {bound:>7} {misordered:>8} \
         {aborted:>7} {:>7}  {:<16} {median:>8} {most:>8} {:>6}  {verdict}",
        scenario.name,
        outcome.unknown,
        codes(&outcome.exits),
        format!("{} s", took.as_secs()),
    )
}

fn seconds(duration: Duration) -> String {
    format!("{:.2} s", duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenarios::SCENARIOS;

    fn broken(name: &str, tally: Tally, bound: u64, faults: &[&str]) -> Vec<String> {
        let scenario = SCENARIOS.iter().find(|it| it.name == name).unwrap();
        let faults = faults.iter().map(|fault| (*fault).to_owned()).collect();
        let outcome = Outcome { tally, bound, unknown: 0, exits: vec![], faults };
        Line { scenario, rounds: 1, outcome, took: Duration::ZERO }.broken()
    }

    #[test]
    fn a_loss_breaks_every_promise() {
        for scenario in SCENARIOS {
            let lost = Tally { lost: 1, ..Tally::default() };
            assert_eq!(broken(scenario.name, lost, 0, &[]), ["1 lost"]);
            let lost = Tally { rows_lost: 2, ..Tally::default() };
            assert_eq!(broken(scenario.name, lost, 0, &[]), ["2 rows lost"]);
            let disputed = Tally { disputed: 3, ..Tally::default() };
            let found = broken(scenario.name, disputed, 0, &[]);
            assert_eq!(found, ["3 that not all readers saw at one place"]);
            assert_eq!(broken(scenario.name, Tally::default(), 0, &["late"]), ["late"]);
        }
    }

    #[test]
    fn duplicates_break_promises_of_none_and_of_a_bound() {
        let tally = Tally { duplicates: 7, ..Tally::default() };
        assert_eq!(broken("sigterm", tally, 0, &[]), ["7 duplicates"]);
        assert_eq!(broken("sigkill", tally, 5, &[]), ["2 duplicates beyond the bound"]);
        assert!(broken("sigkill", tally, 7, &[]).is_empty());
        assert!(broken("storm", tally, 0, &[]).is_empty());
    }
}
