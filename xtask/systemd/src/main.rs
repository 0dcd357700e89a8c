//! `systemd-trials`: boots a systemd in namespaces, and plays what `task-systemd` promises against
//! it, with services of its own as the units.

// A command-line program.
#![allow(clippy::print_stdout, clippy::print_stderr)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod scenarios;

mod scenario;
mod trial;

mod load;
mod machine;

use std::{
    collections::VecDeque,
    env,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{Mutex, PoisonError},
    thread,
    time::Instant,
};

use anyhow::{Context as _, Result, bail};

use machine::Machine;
use scenario::Scenario;
use trial::Trial;

/// How many scenarios are played at once: most of their time is waiting.
const JOBS: usize = 6;
/// The exit code if a promise was broken.
const BROKEN: u8 = 1;
/// The exit code if this program itself failed.
const FAILED: u8 = 3;

const USAGE: &str = "\
usage: systemd-trials [--quick] [--root FOLDER] [--list] [SCENARIO...]
    --quick        without the scenarios that take long
    --root FOLDER  the system that is booted; default: that of this machine
    --list         prints the scenarios";

/// What is asked for.
struct Arguments {
    is_quick: bool,
    root: PathBuf,
    names: Vec<String>,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let ended = match words.as_slice() {
        ["load", address] => load::run(address).map(|()| true),
        ["--help" | "-h"] => {
            println!("{USAGE}");
            Ok(true)
        }
        ["--list"] => {
            list();
            Ok(true)
        }
        words => read(words).and_then(|arguments| play(&arguments)),
    };
    match ended {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(BROKEN),
        Err(error) => {
            eprintln!("systemd-trials: {error:#}");
            ExitCode::from(FAILED)
        }
    }
}

fn read(words: &[&str]) -> Result<Arguments> {
    let mut arguments = Arguments { is_quick: false, root: "/".into(), names: Vec::new() };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match *word {
            "--quick" => arguments.is_quick = true,
            "--root" => arguments.root = words.next().context("--root needs a folder")?.into(),
            name if scenarios::all().any(|scenario| scenario.name == name) => {
                arguments.names.push(name.to_owned());
            }
            other => bail!("`{other}` is neither an option nor a scenario\n{USAGE}"),
        }
    }
    Ok(arguments)
}

fn list() {
    for Scenario { name, shows, .. } in scenarios::all() {
        println!("{name:<17} {shows}");
    }
}

/// Plays the scenarios, and prints what was seen. Returns whether all promises were kept.
fn play(arguments: &Arguments) -> Result<bool> {
    let programs = env::current_exe()?;
    let programs = programs.parent().unwrap_or(Path::new("."));
    let begun = Instant::now();
    let machine = Machine::boot(&arguments.root, programs)?;
    let version = machine.version()?;
    println!("systemd {version} booted in {:.1} s", begun.elapsed().as_secs_f64());
    let is_chosen = |scenario: &&Scenario| match arguments.names.as_slice() {
        [] => scenario.is_quick || !arguments.is_quick,
        names => names.iter().any(|name| name == scenario.name),
    };
    let (played, skipped): (Vec<_>, Vec<_>) =
        scenarios::all().filter(is_chosen).partition(|scenario| scenario.since <= version);
    for Scenario { name, since, .. } in skipped {
        println!("SKIPPED {name:<17} takes systemd {since}");
    }
    Trial::prepare(&machine, scenarios::all().map(|scenario| scenario.name))?;
    let (alone, together) = played.iter().partition(|scenario| scenario.is_alone);
    let broken = play_each(&machine, together, JOBS) + play_each(&machine, alone, 1);
    let took = begun.elapsed().as_secs_f64();
    println!("{} scenarios on systemd {version}, {broken} broken, {took:.1} s", played.len());
    Ok(broken == 0)
}

/// Returns how many were broken.
fn play_each(machine: &Machine, scenarios: VecDeque<&&Scenario>, jobs: usize) -> usize {
    let (left, broken) = (Mutex::new(scenarios), Mutex::new(0));
    let next = || left.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                while let Some(Scenario { name, run, .. }) = next() {
                    let begun = Instant::now();
                    let seen = run(&Trial::new(machine, name));
                    let took = begun.elapsed().as_secs_f64();
                    match seen {
                        Ok(seen) => println!("ok      {name:<17} {took:>5.1} s  {seen}"),
                        Err(error) => {
                            println!("BROKEN  {name:<17} {took:>5.1} s  {error:#}");
                            *broken.lock().unwrap_or_else(PoisonError::into_inner) += 1;
                        }
                    }
                }
            });
        }
    });
    broken.into_inner().unwrap_or_else(PoisonError::into_inner)
}
