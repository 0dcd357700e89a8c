//! Two builds of the benchmark in turns: this tree's and another checkout's.
//!
//! Both programs measure one course of events per process (`one CONTESTANT SCENARIO N RUNTIME`)
//! and print a line of `name=number`. The children alternate, A B B A, because a machine is never
//! equally busy twice; the ratio is taken within each pair.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::command::Run;
use crate::workspace::Workspace;

pub(super) const OPTION: &str = "--against";
pub(super) const USAGE: &str = "bench --against FOLDER [--pairs COUNT] [SCENARIO...] [N...]";

const PACKAGE: &str = "task-benches";
/// How long a build may take on a slow machine.
const BUILD_LIMIT: Duration = Duration::from_secs(60 * 60);
/// How many ratios there are of each row, unless `--pairs` says otherwise.
const PAIRS: usize = 9;
const RUNTIMES: &[&str] = &["two-workers", "current-thread"];
/// The scenarios, and the numbers of tasks of each.
const SCENARIOS: &[(&str, &[usize])] = &[
    ("parked", &[10, 100, 1_000, 10_000, 100_000, 1_000_000]),
    ("second", &[10]),
    ("ephemeral", &[1_000_000]),
    ("failure", &[10_000]),
    ("panic", &[1_000]),
];

/// What the arguments ask for.
#[derive(Debug, PartialEq, Eq)]
struct Choice {
    folder: PathBuf,
    pairs: usize,
    rows: Vec<(&'static str, usize)>,
}

/// What one child measures, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Figures {
    wall: f64,
    cpu: f64,
}

/// Builds both programs, runs them in turns, and prints a line for each row. Asserts nothing.
pub(super) fn run(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    let choice = Choice::parse(arguments)?;
    let folder = choice.folder.canonicalize();
    let folder = folder.with_context(|| format!("no folder {}", choice.folder.display()))?;
    let before = build(workspace, &folder, &folder.join("target"))?;
    let after = build(workspace, &workspace.root, &workspace.target)?;
    println!("\nmedians of {} pairs, before is {}", choice.pairs, folder.display());
    println!("ratio: the median of after / before of each pair; below 1 is faster\n");
    println!(
        "| scenario | N | runtime | time before, µs | after | ratio | CPU before, µs | after | ratio |"
    );
    println!("|---|--:|---|--:|--:|--:|--:|--:|--:|");
    for (scenario, count) in choice.rows {
        for runtime in RUNTIMES {
            let measure = |program: &Path| one(program, scenario, count, runtime);
            let pairs = (0..choice.pairs)
                .map(|_| pair(children(count), || measure(&before), || measure(&after)))
                .collect::<Result<Vec<_>>>()?;
            let [wall, cpu] = [cells(&pairs, |it| it.wall), cells(&pairs, |it| it.cpu)];
            println!("| {scenario} | {count} | {runtime} | {wall} | {cpu} |");
        }
    }
    Ok(())
}

impl Choice {
    fn parse(arguments: &[String]) -> Result<Self> {
        let mut words = arguments.iter().map(String::as_str);
        let (mut folder, mut pairs) = (None, PAIRS);
        let (mut names, mut counts) = (Vec::new(), Vec::new());
        while let Some(word) = words.next() {
            match word {
                OPTION => folder = words.next().map(PathBuf::from),
                "--pairs" => {
                    let count = words.next().and_then(|count| count.parse().ok());
                    pairs = count.filter(|count| *count > 0).context("--pairs takes a number")?;
                }
                _ if SCENARIOS.iter().any(|(name, _)| *name == word) => names.push(word),
                _ => match word.parse::<usize>() {
                    Ok(count) => counts.push(count),
                    Err(_) => bail!("no scenario or number: {word}\nusage: cargo xtask {USAGE}"),
                },
            }
        }
        let folder = folder.with_context(|| format!("usage: cargo xtask {USAGE}"))?;
        let chosen = SCENARIOS.iter().filter(|(name, _)| names.is_empty() || names.contains(name));
        let rows = chosen.flat_map(|(name, own)| {
            let counts = if counts.is_empty() { own.to_vec() } else { counts.clone() };
            counts.into_iter().map(|count| (*name, count))
        });
        Ok(Self { folder, pairs, rows: rows.collect() })
    }
}

/// Builds the program of a checkout for release, in that checkout's own target folder.
fn build(workspace: &Workspace, folder: &Path, target: &Path) -> Result<PathBuf> {
    println!("in {}:", folder.display());
    Run::cargo(workspace)
        .arguments(["build", "--quiet", "--locked", "--release", "--package", PACKAGE])
        .hidden("CARGO_TARGET_DIR", target)
        .folder(folder)
        .limit(BUILD_LIMIT)
        .run()?;
    Ok(target.join("release").join(PACKAGE))
}

/// How many children of each program a pair takes: what lasts microseconds varies most.
fn children(count: usize) -> usize {
    match count {
        0..=1_000 => 24,
        1_001..=10_000 => 12,
        10_001..=100_000 => 4,
        _ => 2,
    }
}

/// The medians of both programs, measured in the order A B B A.
fn pair(
    children: usize,
    before: impl Fn() -> Result<Figures>,
    after: impl Fn() -> Result<Figures>,
) -> Result<[Figures; 2]> {
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for round in 0..children {
        if round % 2 == 0 {
            first.push(before()?);
            second.push(after()?);
        } else {
            second.push(after()?);
            first.push(before()?);
        }
    }
    Ok([middle(&first), middle(&second)])
}

fn one(program: &Path, scenario: &str, count: usize, runtime: &str) -> Result<Figures> {
    let output = Command::new(program)
        .args(["one", "manager", scenario, &count.to_string(), runtime])
        .env("RUST_BACKTRACE", "0")
        .output()
        .with_context(|| format!("cannot start {}", program.display()))?;
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        bail!("{} {scenario} {count} {runtime}: {}\n{errors}", program.display(), output.status);
    }
    let line = String::from_utf8_lossy(&output.stdout);
    Figures::parse(&line).with_context(|| format!("{}: {line}", program.display()))
}

impl Figures {
    fn parse(line: &str) -> Option<Self> {
        let value = |name: &str| {
            let mut pairs = line.split_whitespace().filter_map(|pair| pair.split_once('='));
            pairs.find(|(own, _)| *own == name)?.1.parse().ok()
        };
        Some(Self { wall: value("wall")?, cpu: value("cpu")? })
    }
}

fn middle(figures: &[Figures]) -> Figures {
    Figures {
        wall: median(figures.iter().map(|it| it.wall)),
        cpu: median(figures.iter().map(|it| it.cpu)),
    }
}

/// The medians of both programs in microseconds, and of the ratios.
fn cells(pairs: &[[Figures; 2]], of: fn(&Figures) -> f64) -> String {
    let micros = |index: usize| median(pairs.iter().map(|pair| of(&pair[index]) / 1e3));
    let ratio = median(pairs.iter().map(|[before, after]| of(after) / of(before)));
    format!("{:.1} | {:.1} | {ratio:.3}", micros(0), micros(1))
}

/// The middle value, or the mean of the two.
fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    if values.len() % 2 == 1 { values[half] } else { f64::midpoint(values[half - 1], values[half]) }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::{Choice, Figures, cells, pair};

    fn choice(arguments: &str) -> anyhow::Result<Choice> {
        Choice::parse(&arguments.split(' ').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn scenarios_and_numbers_select_the_rows() {
        let chosen = choice("--against ../old parked 10 1000 --pairs 3").unwrap();
        let rows = vec![("parked", 10), ("parked", 1_000)];
        assert_eq!(chosen, Choice { folder: "../old".into(), pairs: 3, rows });
        let all = choice("--against old").unwrap();
        assert_eq!((all.pairs, all.rows.len()), (9, 10));
        for wrong in ["parked", "--against", "--against a unknown", "--against a --pairs 0"] {
            assert!(choice(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_programs_alternate_and_the_ratio_is_that_of_each_pair() {
        let order = RefCell::new(String::new());
        let measure = |name: char, line: &str| {
            order.borrow_mut().push(name);
            Ok(Figures::parse(line).unwrap())
        };
        let before = || measure('A', "wall=2000 cpu=4000 memory=0");
        let after = || measure('B', "wall=3000 cpu=1000 memory=0");
        let pairs = [pair(4, before, after).unwrap()];
        assert_eq!(*order.borrow(), "ABBAABBA");
        assert_eq!(cells(&pairs, |it| it.wall), "2.0 | 3.0 | 1.500");
        assert_eq!(cells(&pairs, |it| it.cpu), "4.0 | 1.0 | 0.250");
        assert!(Figures::parse("wall=1").is_none());
    }
}
