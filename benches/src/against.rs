//! Compares `task-manager` in this build with the same in the build of another checkout: `against
//! PROGRAM` measures children of both programs in turns.
//!
//! The children are what both builds have in common: their arguments and their line of figures may
//! not change, or an older build can no longer be compared.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::{
    child,
    contestant::Contestant,
    driver::counts,
    median::median,
    scenario::{self, Flavor, Scenario},
    series::Figures,
    table::Table,
};

/// The first argument that selects this comparison.
pub(crate) const COMMAND: &str = "against";

const USAGE: &str = "\
usage: cargo xtask bench --against FOLDER [--pairs=N] [--quick] [SCENARIO...]

Builds the benchmarks of this checkout and of the one in FOLDER for release, each in its own target
directory, and measures `task-manager` in both. A row is a scenario, a number of tasks and a
runtime. The two programs take turns (A B B A): a pair is as many children of each as make a figure,
and contributes the ratio of their medians. Each pair runs fresh copies of the programs, because
the memory that a file happens to be cached in can be worth 10 % of the time. Printed are the
medians of all pairs, with the lowest and the highest ratio in parentheses. The ratio of the bare
JoinSet, measured in the same way, shows what of a difference is due to the machine and the build.
Nothing is asserted.

  --pairs=N  how many pairs. Default: 9
  --quick    a fifth of the children in each pair, and fewer numbers of tasks

Scenarios: parked, second, ephemeral, failure, panic. Default: all";

struct Options {
    pairs: usize,
    is_quick: bool,
    scenarios: Vec<Scenario>,
}

impl Options {
    fn parse(arguments: &[String]) -> Result<Self> {
        let mut options = Self { pairs: 9, is_quick: false, scenarios: Vec::new() };
        for argument in arguments {
            if argument == "--quick" {
                options.is_quick = true;
            } else if let Some(pairs) = argument.strip_prefix("--pairs=") {
                options.pairs = match pairs.parse() {
                    Ok(pairs) if pairs > 0 => pairs,
                    _ => bail!("not a number of pairs: {pairs}"),
                };
            } else if let Some(scenario) = Scenario::parse(argument) {
                options.scenarios.push(scenario);
            } else {
                bail!("no such option or scenario: {argument}\n{USAGE}");
            }
        }
        if options.scenarios.is_empty() {
            options.scenarios = scenario::ALL.to_vec();
        }
        Ok(options)
    }
}

pub(crate) fn run(arguments: &[String]) -> Result<()> {
    if arguments.iter().any(|argument| matches!(argument.as_str(), "--help" | "-h")) {
        println!("{USAGE}");
        return Ok(());
    }
    let Some((other, rest)) = arguments.split_first() else { bail!("{USAGE}") };
    let options = Options::parse(rest)?;
    let this = std::env::current_exe()?;
    let programs = [this.as_path(), Path::new(other)];
    let folder = this.parent().context("a program is in a folder")?;
    for scenario in &options.scenarios {
        // A table for each, so that the first rows can be read while the last are measured.
        let mut table = Table::new(
            format!("{}: medians of {} pairs", scenario.title(), options.pairs),
            &["other, ns per task", "this", "time, this : other", "CPU time", "JoinSet, time"],
        );
        for flavor in [Flavor::TwoWorkers, Flavor::CurrentThread] {
            for count in counts(*scenario, options.is_quick) {
                let children = children(count, options.is_quick);
                let (mut pairs, mut reference) = (Vec::new(), Vec::new());
                for _ in 0..options.pairs {
                    let copies = Copies::new(&programs, folder)?;
                    let measure = |contestant| {
                        Pair::measure(&copies, contestant, *scenario, count, flavor, children)
                    };
                    pairs.push(measure(Contestant::Manager)?);
                    reference.push(measure(Contestant::REFERENCE)?);
                }
                let name = format!("{}, N = {count}, {}", scenario.word(), flavor.word());
                let nanos = |of: fn(&Pair) -> f64| {
                    format!("{:.0}", median(pairs.iter().map(of)) / count as f64)
                };
                table.row(
                    &name,
                    vec![
                        nanos(|pair| pair.other.wall),
                        nanos(|pair| pair.this.wall),
                        ratios(&pairs, |figures| figures.wall),
                        ratios(&pairs, |figures| figures.cpu),
                        ratios(&reference, |figures| figures.wall),
                    ],
                );
            }
        }
        table.print();
    }
    Ok(())
}

/// The number of children of each program in a pair: many where one takes microseconds. Always
/// even, so that each program is first as often as the other.
fn children(count: usize, is_quick: bool) -> usize {
    match (count, is_quick) {
        (..=10_000, false) => 30,
        (..=10_000, true) => 6,
        (..=100_000, false) => 6,
        _ => 2,
    }
}

/// Copies of both programs in new files, which are removed when this is dropped.
struct Copies([PathBuf; 2]);

impl Copies {
    fn new(programs: &[&Path; 2], folder: &Path) -> Result<Self> {
        let copies = Self(["against-this", "against-other"].map(|name| folder.join(name)));
        copies.remove();
        for (program, copy) in programs.iter().zip(&copies.0) {
            fs::copy(program, copy)
                .with_context(|| format!("cannot copy {}", program.display()))?;
        }
        Ok(copies)
    }

    /// Removes the files. To overwrite one would keep the memory that it is cached in.
    fn remove(&self) {
        for copy in &self.0 {
            let _ = fs::remove_file(copy);
        }
    }
}

impl Drop for Copies {
    fn drop(&mut self) {
        self.remove();
    }
}

/// The medians of the children of both programs, which were measured in turns.
struct Pair {
    this: Medians,
    other: Medians,
}

#[derive(Clone, Copy)]
struct Medians {
    wall: f64,
    cpu: f64,
}

impl Pair {
    fn measure(
        Copies([this, other]): &Copies,
        contestant: Contestant,
        scenario: Scenario,
        count: usize,
        flavor: Flavor,
        children: usize,
    ) -> Result<Self> {
        let (mut own, mut others) = (Vec::new(), Vec::new());
        let measure = |program: &Path| child::measure(program, contestant, scenario, count, flavor);
        for number in 0..children {
            if number % 2 == 0 {
                own.push(measure(this)?);
                others.push(measure(other)?);
            } else {
                others.push(measure(other)?);
                own.push(measure(this)?);
            }
        }
        Ok(Self { this: Medians::of(&own), other: Medians::of(&others) })
    }
}

impl Medians {
    fn of(figures: &[Figures]) -> Self {
        Self {
            wall: median(figures.iter().map(|figures| figures.wall)),
            cpu: median(figures.iter().map(|figures| figures.cpu)),
        }
    }
}

/// Writes the median of the pairs' ratios, and the lowest and the highest.
fn ratios(pairs: &[Pair], of: fn(Medians) -> f64) -> String {
    let ratios: Vec<f64> = pairs.iter().map(|pair| of(pair.this) / of(pair.other)).collect();
    let low = ratios.iter().copied().fold(f64::INFINITY, f64::min);
    let high = ratios.iter().copied().fold(0.0, f64::max);
    format!("{:.3} ({low:.2} to {high:.2})", median(ratios))
}

#[cfg(test)]
mod tests {
    use super::{Medians, Options, Pair, children, ratios};
    use crate::scenario::{self, Scenario};

    fn options(arguments: &[&str]) -> Option<Options> {
        let arguments: Vec<String> = arguments.iter().map(|&argument| argument.into()).collect();
        Options::parse(&arguments).ok()
    }

    #[test]
    fn options_have_defaults_and_may_stand_anywhere() {
        let default = options(&[]).expect("no arguments are fine");
        assert_eq!((default.pairs, default.is_quick), (9, false));
        assert_eq!(default.scenarios, scenario::ALL);
        let given = options(&["panic", "--quick", "--pairs=3", "parked"]).expect("all are known");
        assert_eq!((given.pairs, given.is_quick), (3, true));
        assert_eq!(given.scenarios, [Scenario::Panic, Scenario::Parked]);
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for argument in ["--pairs=0", "--pairs=", "--pairs=x", "--fast", "sigterm"] {
            assert!(options(&[argument]).is_none(), "{argument}");
        }
    }

    #[test]
    fn each_program_is_first_as_often_as_the_other() {
        for count in [10, 10_000, 100_000, 1_000_000] {
            for is_quick in [false, true] {
                assert_eq!(children(count, is_quick) % 2, 0, "{count}, {is_quick}");
            }
        }
    }

    #[test]
    fn the_median_is_of_the_ratios_of_the_pairs() {
        let medians = |wall| Medians { wall, cpu: 0.0 };
        let pair = |this, other| Pair { this: medians(this), other: medians(other) };
        // Both medians are 10.
        let pairs = [pair(2.0, 1.0), pair(30.0, 10.0), pair(10.0, 40.0)];
        assert_eq!(ratios(&pairs, |medians| medians.wall), "2.000 (0.25 to 3.00)");
    }
}
