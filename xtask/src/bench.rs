//! Builds the benchmarks for release and runs them with the arguments unchanged. They are a
//! separate chore and no section of CI: nothing fails because a machine is slow.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::command::Run;
use crate::workspace::Workspace;

pub(crate) const NAME: &str = "bench";
pub(crate) const USAGE: &[(&str, &str)] = &[
    ("bench [--quick] [SCENARIO...]", "all benchmarks but `cost`, or those named; `bench --help`"),
    (
        "bench --against FOLDER [--pairs=N] [--quick] [SCENARIO...]",
        "this checkout and the one in FOLDER, in turns",
    ),
    (
        "bench kafka [parallel] [--quick]",
        "`KafkaTask` beside the same loop written by hand; transforms of 10 ms at once",
    ),
    (
        "bench serve [--quick | cost]",
        "`ServeTask` beside `axum::serve`, the same router under both; or what building each takes",
    ),
];

/// The time that all scenarios may take on a slow machine.
const LIMIT: Duration = Duration::from_secs(2 * 60 * 60);

const PACKAGE: &str = "task-benches";
/// A separate program, because it compiles librdkafka: that takes a C++ compiler, and minutes the
/// first time.
const KAFKA: &str = "kafka";
const KAFKA_PACKAGE: &str = "task-kafka-bench";

/// The option that compares with another checkout, and the command of the benchmarks that does it.
const AGAINST: &str = "--against";
const AGAINST_COMMAND: &str = "against";

pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    let is_help = |argument: &String| matches!(argument.as_str(), "--help" | "-h");
    let build = ["run", "--quiet", "--release", "--package"];
    let run = Run::cargo(workspace).arguments(build).limit(LIMIT);
    match arguments {
        [first, rest @ ..] if first == KAFKA => {
            run.arguments([KAFKA_PACKAGE, "--"]).arguments(rest).run()
        }
        [option, rest @ ..] if option == AGAINST && rest.iter().any(is_help) => {
            run.arguments([PACKAGE, "--", AGAINST_COMMAND, "--help"]).run()
        }
        [option, folder, rest @ ..] if option == AGAINST => {
            against(workspace, Path::new(folder), rest)
        }
        _ if arguments.iter().any(|argument| argument == AGAINST) => {
            bail!("expected `{AGAINST} FOLDER` before all other arguments");
        }
        _ => run.arguments([PACKAGE, "--"]).arguments(arguments).run(),
    }
}

/// Builds both programs. This checkout's measures, as the one that knows how.
fn against(workspace: &Workspace, folder: &Path, arguments: &[String]) -> Result<()> {
    let folder = folder
        .canonicalize()
        .with_context(|| format!("cannot open the checkout {}", folder.display()))?;
    let other = build(workspace, &folder, &folder.join("target"))?;
    let this = build(workspace, &workspace.root, &workspace.target)?;
    Run::program(workspace, this)
        .arguments([AGAINST_COMMAND, &other.to_string_lossy()])
        .arguments(arguments)
        .limit(LIMIT)
        .run()
}

/// Builds the benchmarks of a checkout in a target directory of its own, and returns the program:
/// in one directory for both, the second build would replace the first.
fn build(workspace: &Workspace, checkout: &Path, target: &Path) -> Result<PathBuf> {
    let manifest = checkout.join("Cargo.toml");
    Run::cargo(workspace)
        .arguments(["build", "--quiet", "--locked", "--release", "--package", PACKAGE])
        .arguments(["--manifest-path", &manifest.to_string_lossy()])
        .hidden("CARGO_TARGET_DIR", target)
        .limit(LIMIT)
        .run()?;
    Ok(target.join("release").join(PACKAGE))
}
