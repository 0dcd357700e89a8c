//! Runs the children round by round, and prints the results.

use std::{path::Path, time::Duration};

use anyhow::{Context as _, Result, bail};

use crate::{
    child, children,
    contestant::{self, Contestant},
    cost, http,
    median::median,
    outside, plot, restarts,
    scenario::{self, Flavor, Scenario},
    series::{Figures, Series},
    serve,
    table::Table,
    targets, waiters,
};

/// The scenarios that are not run by a child.
const OUTSIDE: &[(&str, &str)] = &[
    ("sigterm", "from SIGTERM to the process's exit, three idle tasks"),
    ("idle", "wake-ups of an idle service"),
    (waiters::NAME, waiters::ABOUT),
    (restarts::NAME, restarts::ABOUT),
    (children::NAME, children::ABOUT),
    (
        "cost",
        "crates, build time and size of a minimal service (only if named: it builds for minutes)",
    ),
];

/// The smallest number of rounds of a ratio.
const ROUNDS: usize = 7;
/// The number of rounds of a measurement that takes microseconds, and varies more.
const MANY_ROUNDS: usize = 25;

struct Choice {
    is_quick: bool,
    names: Vec<String>,
}

impl Choice {
    fn parse(arguments: &[String]) -> Result<Self> {
        let (options, names): (Vec<_>, Vec<_>) =
            arguments.iter().cloned().partition(|argument| argument.starts_with('-'));
        for option in &options {
            if option != "--quick" {
                bail!("no such option: {option}\n{}", usage());
            }
        }
        for name in &names {
            let known =
                Scenario::parse(name).is_some() || OUTSIDE.iter().any(|(word, _)| word == name);
            if !known {
                bail!("no such scenario: {name}\n{}", usage());
            }
        }
        Ok(Self { is_quick: !options.is_empty(), names })
    }

    /// Returns whether a scenario runs: one that is named, or, if none is, each that does not take
    /// minutes.
    fn wants(&self, name: &str) -> bool {
        if self.names.is_empty() {
            name != "cost"
        } else {
            self.names.iter().any(|own| own == name)
        }
    }
}

fn usage() -> String {
    let mut text = String::from(
        "usage: cargo xtask bench [--quick] [SCENARIO...]\n       \
         cargo xtask bench --against FOLDER [--pairs=N] [--quick] [SCENARIO...]\n",
    );
    let inside = scenario::ALL.iter().map(|scenario| (scenario.word(), scenario.title()));
    for (word, about) in inside.chain(OUTSIDE.iter().copied()) {
        text += &format!("\n  {word:<10} {about}");
    }
    text += "\n\nAlone, as the first argument:\n";
    for (word, about) in [(http::COMMAND, http::ABOUT), (serve::COMMAND, serve::ABOUT)] {
        text += &format!("\n  {word:<10} {about}");
    }
    text
}

pub(crate) fn run(arguments: &[String]) -> Result<()> {
    if arguments.iter().any(|argument| matches!(argument.as_str(), "--help" | "-h")) {
        println!("{}", usage());
        return Ok(());
    }
    let choice = Choice::parse(arguments)?;
    let columns = ["time", "CPU time", "at most"];
    let mut targets = Table::new(String::from("task-manager, and its limits"), &columns);
    for scenario in scenario::ALL.iter().copied().filter(|scenario| choice.wants(scenario.word())) {
        for flavor in [Flavor::TwoWorkers, Flavor::CurrentThread] {
            let mut series = Vec::new();
            for count in counts(scenario, choice.is_quick) {
                series.push(measure(scenario, count, flavor, choice.is_quick)?);
            }
            print(scenario, flavor, &series);
            targets::judge(&mut targets, scenario, flavor, &series);
            if scenario == Scenario::Parked && flavor == Flavor::TwoWorkers && !choice.is_quick {
                let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("cost-per-task.svg");
                std::fs::write(path, plot::draw(&series)).context("failed to write the plot")?;
            }
        }
    }
    if choice.wants("sigterm") {
        outside::sigterm(if choice.is_quick { 15 } else { 51 })?;
    }
    if choice.wants("idle") {
        outside::idle(Duration::from_secs(if choice.is_quick { 2 } else { 10 }))?;
    }
    if choice.wants(waiters::NAME) {
        waiters::run(choice.is_quick);
    }
    if choice.wants(restarts::NAME) {
        restarts::run(choice.is_quick)?;
    }
    if choice.wants(children::NAME) {
        children::run(choice.is_quick)?;
    }
    targets.print();
    if choice.wants("cost") {
        cost::run()?;
    }
    Ok(())
}

pub(crate) fn counts(scenario: Scenario, is_quick: bool) -> Vec<usize> {
    match scenario {
        Scenario::Parked if is_quick => vec![10, 1_000, 100_000, 1_000_000],
        Scenario::Parked => vec![10, 100, 1_000, 10_000, 100_000, 1_000_000],
        Scenario::Second => vec![10],
        Scenario::Ephemeral => vec![1_000_000],
        Scenario::Failure => vec![10_000],
        Scenario::Panic => vec![1_000],
    }
}

/// Returns the contestants; a quick run leaves out those that take long.
fn contestants(scenario: Scenario, count: usize, is_quick: bool) -> Vec<Contestant> {
    let most = match scenario {
        Scenario::Parked if is_quick => 4,
        Scenario::Parked => contestant::ALL.len(),
        Scenario::Second | Scenario::Ephemeral => 4,
        Scenario::Failure | Scenario::Panic => 2,
    };
    let chosen = contestant::ALL[..most].iter().copied();
    chosen.filter(|contestant| count <= contestant.most_tasks()).collect()
}

fn measure(scenario: Scenario, count: usize, flavor: Flavor, is_quick: bool) -> Result<Series> {
    let contestants = contestants(scenario, count, is_quick);
    let rounds = match (count, is_quick) {
        (1_000_000.., true) => 3,
        (..=10_000, false) => MANY_ROUNDS,
        _ => ROUNDS,
    };
    let mut series = Series::new(count, &contestants);
    for round in 0..rounds {
        // Rotates, so that no contestant always runs after the same one.
        for place in 0..contestants.len() {
            let contestant = contestants[(place + round) % contestants.len()];
            let program = std::env::current_exe()?;
            series.add(contestant, child::measure(&program, contestant, scenario, count, flavor)?);
        }
    }
    Ok(series)
}

/// Writes one cell of a table.
type Cell = fn(&Series, Contestant) -> String;

fn print(scenario: Scenario, flavor: Flavor, series: &[Series]) {
    let columns: Vec<String> =
        series.iter().map(|series| format!("N = {}", series.count)).collect();
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    let figures: [(&str, Cell); 5] = [
        ("time, × JoinSet (median of the rounds' ratios)", |series, contestant| {
            ratio(series, contestant, |figures| figures.wall)
        }),
        ("CPU time, × JoinSet (median of the rounds' ratios)", |series, contestant| {
            ratio(series, contestant, |figures| figures.cpu)
        }),
        ("time, ns per task (median)", |series, contestant| {
            format!("{:.0}", series.per_task(contestant, |figures| figures.wall))
        }),
        ("CPU time, ns per task: to the middle + from there (medians)", |series, contestant| {
            let all = series.per_task(contestant, |figures| figures.cpu);
            let first = series.per_task(contestant, |figures| figures.first_cpu);
            if first >= all {
                format!("{all:.0}")
            } else {
                format!("{first:.0} + {:.0}", all - first)
            }
        }),
        ("memory, bytes per task (median)", |series, contestant| {
            if series.count < 100_000 {
                return String::from("-");
            }
            format!("{:.0}", series.per_task(contestant, |figures| figures.memory))
        }),
    ];
    for (title, cell) in figures {
        let title = format!("{}, {}: {title}", scenario.title(), flavor.word());
        let mut table = Table::new(title, &columns);
        for contestant in
            contestant::ALL.iter().filter(|one| series.iter().any(|series| series.has(**one)))
        {
            let cells = series.iter().map(|series| {
                if series.has(*contestant) { cell(series, *contestant) } else { String::from("-") }
            });
            table.row(contestant.title(), cells.collect());
        }
        table.print();
    }
}

fn ratio(series: &Series, contestant: Contestant, of: fn(&Figures) -> f64) -> String {
    format!("{:.2}", median(series.ratios(contestant, of)))
}
