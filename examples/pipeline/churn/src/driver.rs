//! Plays the selected scenarios, several at once, and prints the table.

use std::{
    collections::VecDeque,
    env,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    thread,
    time::Instant,
};

use anyhow::{Context as _, Result, ensure};
use fastrand::Rng;

use crate::{
    arguments::Arguments,
    judge::Tally,
    scenario::{Promise, Scenario},
    scenarios::SCENARIOS,
    stage::{Outcome, Settings, Stage},
    table::{self, Line},
};

/// The maximum number of rounds on one stage, because the brokers keep a limited number of
/// messages.
const ROUNDS_PER_STAGE: u32 = 10;

/// One scenario to play.
struct Job {
    scenario: &'static Scenario,
    rounds: u32,
}

/// The paths of the service, the results and the tools.
struct Paths {
    program: PathBuf,
    folder: PathBuf,
    tools: PathBuf,
}

/// Returns whether every promise was kept.
pub(crate) fn run(arguments: &Arguments) -> Result<bool> {
    if arguments.list {
        for scenario in SCENARIOS {
            println!("{:<12} {}", scenario.name, scenario.about);
        }
        return Ok(true);
    }
    let paths = paths(arguments)?;
    let jobs = jobs(arguments);
    let seed = arguments.seed.unwrap_or_else(|| fastrand::u64(..1_000_000));
    println!(
        "{} scenarios, seed {seed}, {:?} brokers, {:?}, {} orders a second; logs in {}\n\n{}",
        jobs.len(),
        arguments.broker,
        arguments.database,
        arguments.rate,
        paths.folder.display(),
        table::head()
    );
    let start = Instant::now();
    let queue = Mutex::new(VecDeque::from(jobs));
    let broken = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..arguments.jobs {
            scope.spawn(|| {
                loop {
                    let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                    let Some(job) = next else { break };
                    let found = play(arguments, &paths, seed, &job);
                    broken.lock().unwrap_or_else(PoisonError::into_inner).extend(found);
                }
            });
        }
    });
    let broken = broken.into_inner().unwrap_or_else(PoisonError::into_inner);
    println!("\n{} s in all", start.elapsed().as_secs());
    for what in &broken {
        println!("BROKEN {what}");
    }
    if !broken.is_empty() {
        println!("repeat with --seed {seed}");
    }
    Ok(broken.is_empty())
}

/// Plays one scenario and prints its line. Returns the broken promises.
fn play(arguments: &Arguments, paths: &Paths, seed: u64, job: &Job) -> Vec<String> {
    let start = Instant::now();
    let named = |what: String| format!("{}: {what}", job.scenario.name);
    match play_rounds(arguments, paths, seed, job) {
        Ok(outcome) => {
            let line =
                Line { scenario: job.scenario, rounds: job.rounds, outcome, took: start.elapsed() };
            println!("{}", table::line(&line));
            line.broken().into_iter().map(named).collect()
        }
        Err(error) => {
            println!("{:<12} {:>6} {error:#}", job.scenario.name, job.rounds);
            vec![named(format!("{error:#}"))]
        }
    }
}

fn play_rounds(arguments: &Arguments, paths: &Paths, seed: u64, job: &Job) -> Result<Outcome> {
    let Job { scenario, rounds } = job;
    let settings = Settings {
        brokers: arguments.brokers(),
        transactions: arguments.transactions,
        concurrency: arguments.concurrency,
        database: arguments.database,
        rate: arguments.rate,
        program: &paths.program,
        tools: &paths.tools,
        may_fail: scenario.promise == Promise::NothingLost,
    };
    let mut sum = Outcome {
        tally: Tally::default(),
        bound: 0,
        unknown: 0,
        exits: Vec::new(),
        faults: Vec::new(),
    };
    let mut left = *rounds;
    let mut number = 0;
    while left > 0 {
        // Seeded per scenario, so that the other scenarios do not influence it.
        let random = Rng::with_seed(mix(seed, scenario.name, number));
        let folder = paths.folder.join(format!("{}-{number}", scenario.name));
        let mut stage = Stage::open(&settings, folder, random)?;
        for _ in 0..left.min(ROUNDS_PER_STAGE) {
            (scenario.play)(&mut stage)?;
        }
        let outcome = stage.close()?;
        sum.tally.add(outcome.tally);
        sum.bound += outcome.bound;
        sum.unknown += outcome.unknown;
        sum.exits.extend(outcome.exits);
        sum.faults.extend(outcome.faults);
        left -= left.min(ROUNDS_PER_STAGE);
        number += 1;
    }
    Ok(sum)
}

/// Hashes the seed, a name and a number (FNV-1a).
fn mix(seed: u64, name: &str, number: u64) -> u64 {
    let bytes = [seed.to_le_bytes(), number.to_le_bytes()].concat().into_iter().chain(name.bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

fn jobs(arguments: &Arguments) -> Vec<Job> {
    let named = &arguments.scenarios;
    let mut jobs = Vec::new();
    for scenario in SCENARIOS {
        let is_named = named.iter().any(|name| name == scenario.name);
        let can_be = scenario.needs.are_met_by(arguments.brokers());
        let rounds = if arguments.quick { scenario.quick } else { scenario.rounds };
        let rounds = arguments.rounds.unwrap_or(if is_named { rounds.max(1) } else { rounds });
        let is_wanted = is_named || (named.is_empty() && (!arguments.quick || scenario.quick > 0));
        if is_wanted && can_be {
            jobs.push(Job { scenario, rounds });
        }
    }
    jobs
}

fn paths(arguments: &Arguments) -> Result<Paths> {
    let beside = beside()?;
    let program = arguments.program.clone().unwrap_or_else(|| beside.join("pipeline"));
    ensure!(program.is_file(), "no service at {}: `cargo build -p pipeline`", program.display());
    let folder = match &arguments.folder {
        Some(folder) => folder.clone(),
        None => target()?.join("churn"),
    };
    let tools = folder.join("tools");
    Ok(Paths { program, folder, tools })
}

/// Returns Cargo's target folder.
pub(crate) fn target() -> Result<PathBuf> {
    Ok(beside()?.parent().unwrap_or(Path::new(".")).to_owned())
}

/// Returns the folder of this program.
fn beside() -> Result<PathBuf> {
    let own = env::current_exe()?;
    Ok(own.parent().context("this program has no folder")?.to_owned())
}
