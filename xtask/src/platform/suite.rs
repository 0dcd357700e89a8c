//! The suites of the crates on a target, each test binary under what runs it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, bail};
use serde_json::Value;

use super::check::own;
use super::emulator::Emulator;
use super::record::{Record, Verdict};
use super::target::{Runner, Target};
use super::toolchain::Toolchain;
use super::wine::Wine;
use crate::command::Run;
use crate::workspace::{Package, Workspace};

/// The suites: those that measure memory or replace the runtime have lanes of their own.
const SUITES: &[&str] = &["it", "wedge", CONSOLE];
/// The suite that needs a sender of console events, and is ignored without one.
const CONSOLE: &str = "console";
/// The time that one binary may take under an emulator on a busy machine.
const LIMIT: Duration = Duration::from_secs(30 * 60);

/// What is left out under something that runs the programs.
struct Exception {
    runner: Runner,
    package: &'static str,
    what: What,
    because: &'static str,
}

enum What {
    Suite(&'static str),
    /// A test, by its name or its beginning.
    Test(&'static str),
}

const EXCEPTIONS: &[Exception] = &[
    Exception {
        runner: Runner::Wine,
        package: "task-http",
        what: What::Test("limits::a_thousand_silent_clients_do_not_block_a_probe"),
        because: "Wine takes minutes to connect so many",
    },
    Exception {
        runner: Runner::Wine,
        package: "task-manager",
        what: What::Test(
            "log_order::behind_a_sink_that_is_slow_no_line_is_lost_and_no_thread_writes_all",
        ),
        because: "a sleep of 100 µs takes a millisecond there, and the sink is too slow",
    },
    Exception {
        runner: Runner::Emulator,
        package: "task-manager",
        what: What::Suite("wedge"),
        because: "it holds the deadlines to tenths of a second, and the emulator is slower",
    },
    Exception {
        runner: Runner::Emulator,
        package: "task-service",
        what: What::Test("messages::"),
        because: "the end has a tenth of a second for its report and one second for its message, \
                  in which the emulator formats neither",
    },
    Exception {
        runner: Runner::Emulator,
        package: "task-signal",
        what: What::Suite("it"),
        because: "the emulator takes each signal itself: what is inherited, and what acts by \
                  default, is the emulator's",
    },
    Exception {
        runner: Runner::Emulator,
        package: "task-http",
        what: What::Test("built_in_families::the_metrics_of_process_and_runtime_are_plausible"),
        because: "the emulator's /proc/self/stat states no memory",
    },
];

/// What is left out under `runner`, a line for each suite or test, with its reason.
pub(crate) fn left_out(runner: Runner) -> Vec<String> {
    let of_runner = EXCEPTIONS.iter().filter(|exception| exception.runner == runner);
    let line = |it: &Exception| {
        let (What::Suite(name) | What::Test(name)) = it.what;
        format!("left out {}: {} {name}: {}", runner.how(), it.package, it.because)
    };
    of_runner.map(line).collect()
}

fn exceptions(runner: Runner, package: &str) -> impl Iterator<Item = &'static Exception> {
    EXCEPTIONS.iter().filter(move |it| it.runner == runner && it.package == package)
}

/// What runs the programs of a target.
enum Stage<'a> {
    Wine(Wine<'a>),
    Emulator(Emulator<'a>),
    Native(&'a Workspace),
}

impl<'a> Stage<'a> {
    /// Returns the reason if this machine refuses it.
    ///
    /// # Errors
    ///
    /// It is there, and does not work.
    fn new(workspace: &'a Workspace, runner: Runner) -> Result<Result<Self, String>> {
        let refusal = |error: anyhow::Error| format!("{error:#}");
        Ok(match runner {
            Runner::Wine => match Wine::install(workspace) {
                Ok(()) => Ok(Self::Wine(Wine::new(workspace)?)),
                Err(error) => Err(refusal(error)),
            },
            Runner::Emulator => Emulator::new(workspace).map(Self::Emulator).map_err(refusal),
            Runner::Native => Ok(Self::Native(workspace)),
        })
    }

    fn program(&self, program: &str, arguments: &[&str]) -> Run {
        match self {
            Self::Wine(wine) => wine.program(program, arguments),
            Self::Emulator(emulator) => emulator.program(program, arguments),
            Self::Native(workspace) => Run::program(workspace, program).arguments(arguments),
        }
    }
}

impl Runner {
    /// What the table says.
    fn how(self) -> &'static str {
        match self {
            Self::Wine => "under Wine",
            Self::Emulator => "under qemu-user",
            Self::Native => "natively",
        }
    }
}

/// A test binary of a package.
struct Binary {
    package: String,
    suite: String,
    path: PathBuf,
}

/// Builds the suites of a target, runs them, and records how they ended. Returns the reason if this
/// machine refuses what runs them.
///
/// # Errors
///
/// What runs the programs does not work, or the suites cannot be built.
pub(crate) fn test(
    workspace: &Workspace,
    toolchain: &Toolchain,
    target: &Target,
    runner: Runner,
    record: &mut Record,
) -> Result<Option<String>> {
    let stage = match Stage::new(workspace, runner)? {
        Ok(stage) => stage,
        Err(refusal) => return Ok(Some(refusal)),
    };
    let (binaries, broken) = build(workspace, toolchain, target)?;
    let mut results: BTreeMap<&str, (usize, Vec<String>)> = BTreeMap::new();
    for package in &broken {
        let why = "a suite was not built".to_owned();
        results.entry(package).or_default().1.push(why);
    }
    for binary in &binaries {
        let result = run(workspace, &stage, target, runner, binary);
        let (passed, failures) = results.entry(&binary.package).or_default();
        match result {
            Ok(tests) => *passed += tests,
            Err(error) => failures.push(format!("{} ({error:#})", binary.suite)),
        }
    }
    for (package, (passed, failures)) in results {
        let verdict = match (failures.as_slice(), passed) {
            ([], 0) => {
                let because = exceptions(runner, package).next().map(|it| it.because);
                Verdict::Not(because.unwrap_or("it has no test there").to_owned())
            }
            ([], _) => Verdict::Passed(runner.how()),
            (failures, _) => Verdict::Failed(failures.join(", ")),
        };
        record.tested(target.triple, package, verdict, passed);
    }
    Ok(None)
}

/// Builds the suites. Returns the test binaries, and the packages of which a suite has errors: the
/// others are built without these, since Cargo ends at the first error.
fn build(
    workspace: &Workspace,
    toolchain: &Toolchain,
    target: &Target,
) -> Result<(Vec<Binary>, BTreeSet<String>)> {
    let log = workspace.target.join("platforms").join(format!("build-{}.log", target.triple));
    let mut broken = BTreeSet::new();
    loop {
        let packages: Vec<&Package> =
            workspace.without_kafka().filter(|it| !broken.contains(&it.name)).collect();
        let has_suite = |suite: &&&str| packages.iter().any(|package| package.has_test(suite));
        let cargo = toolchain
            .cargo(workspace, "test", target.triple)
            .arguments(["--no-run", "--all-features", "--lib", "--message-format", "json"])
            .arguments(SUITES.iter().filter(has_suite).flat_map(|suite| ["--test", suite]))
            .arguments(packages.iter().flat_map(|package| ["-p", &package.name]))
            .limit(crate::deep::LIMIT);
        let status = target.with_compiler(workspace, cargo).log_to(&log)?;
        let text = fs::read_to_string(&log)?;
        let messages: Vec<Value> =
            text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        if status.success() {
            let binaries: Vec<Binary> = messages.iter().filter_map(Binary::parse).collect();
            if binaries.is_empty() {
                bail!("Cargo built no test");
            }
            return Ok((binaries, broken));
        }
        let errors = messages.iter().filter(|it| it["message"]["level"] == "error");
        let mut found = BTreeSet::new();
        for error in errors {
            println!("{}", error["message"]["rendered"].as_str().unwrap_or_default());
            found.extend(own(error));
        }
        if found.is_empty() {
            let said: Vec<&str> = text.lines().filter(|line| !line.starts_with('{')).collect();
            println!("{}", said[said.len().saturating_sub(30)..].join("\n"));
            bail!("the suites of {} were not built", target.triple);
        }
        broken.extend(found);
    }
}

impl Binary {
    fn parse(message: &Value) -> Option<Self> {
        let path = Path::new(message["executable"].as_str()?).to_owned();
        let folder = Path::new(message["manifest_path"].as_str()?).parent()?;
        let is_library = message["target"]["kind"][0] != "test";
        let suite = if is_library { "lib" } else { message["target"]["name"].as_str()? };
        let package = folder.file_name()?.to_str()?.to_owned();
        Some(Self { package, suite: suite.to_owned(), path })
    }
}

/// Runs one binary in its package's folder, and returns how many tests passed.
fn run(
    workspace: &Workspace,
    stage: &Stage<'_>,
    target: &Target,
    runner: Runner,
    binary: &Binary,
) -> Result<usize> {
    let name = format!("{}-{}-{}.log", target.triple, binary.package, binary.suite);
    let log = workspace.target.join("platforms").join(name);
    let mut arguments = Vec::new();
    if binary.suite == CONSOLE && runner == Runner::Wine {
        arguments.push("--include-ignored");
    }
    if runner == Runner::Emulator {
        // It ends a suite in which a test takes minutes, as some do in the emulator. The limit of
        // the binary holds all the same.
        arguments.extend(["--skip", "a_watchdog"]);
    }
    for exception in exceptions(runner, &binary.package) {
        match exception.what {
            What::Suite(suite) if suite == binary.suite => return Ok(0),
            What::Suite(_) => {}
            What::Test(test) => arguments.extend(["--skip", test]),
        }
    }
    let folder = &workspace.package(&binary.package)?.folder;
    let status = stage
        .program(&binary.path.to_string_lossy(), &arguments)
        .folder(&workspace.root.join(folder))
        .limit(LIMIT)
        .log_to(&log)?;
    let text = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
    let passed = passed(&text);
    println!("{} {}: {passed:?} passed, {status}", binary.package, binary.suite);
    match passed {
        Some(passed) if status.success() => Ok(passed),
        _ => {
            let lines: Vec<&str> = text.lines().collect();
            println!("{}", lines[lines.len().saturating_sub(80)..].join("\n"));
            let failed = failed(&text);
            bail!("{status}; failed: {}", failed.join(", "))
        }
    }
}

/// Returns how many tests passed, by the line that closes the output; nothing if there is none.
fn passed(output: &str) -> Option<usize> {
    let line = output.lines().rev().find(|line| line.starts_with("test result: "))?;
    line.split(". ").nth(1)?.split(' ').next()?.parse().ok()
}

/// Returns the names of the tests that failed, by the list before that line.
fn failed(output: &str) -> Vec<&str> {
    let Some((_, list)) = output.rsplit_once("failures:\n") else { return Vec::new() };
    list.lines().map_while(|line| line.strip_prefix("    ")).collect()
}

#[cfg(test)]
mod tests {
    use super::{EXCEPTIONS, What, failed, passed};
    use crate::workspace::Workspace;

    const OUTPUT: &str = "running 3 tests\ntest a ... ok\n\nfailures:\n\n---- b stdout ----\nfailures: none\n\n\nfailures:\n    b\n    c::d\n\ntest result: FAILED. 1 passed; 2 failed; 0 ignored\n";

    #[test]
    fn the_tests_are_counted_by_the_closing_line() {
        assert_eq!(passed(OUTPUT), Some(1));
        assert_eq!(passed("test result: ok. 173 passed; 0 failed; 1 ignored"), Some(173));
        assert_eq!(passed("running 3 tests\ntest a ... ok\n"), None);
    }

    #[test]
    fn every_suite_that_is_left_out_exists() {
        let workspace = Workspace::load().unwrap();
        for exception in EXCEPTIONS {
            let package = workspace.package(exception.package).unwrap();
            if let What::Suite(suite) = exception.what {
                assert!(package.has_test(suite), "{suite} of {}", package.name);
            }
        }
    }

    #[test]
    fn the_tests_that_failed_are_named() {
        assert_eq!(failed(OUTPUT), ["b", "c::d"]);
        assert!(failed("test result: ok. 1 passed").is_empty());
    }
}
