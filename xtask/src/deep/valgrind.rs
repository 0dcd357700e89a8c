//! Finds leaks that the type system allows: cycles of `Arc`, wakers that are never dropped.

use anyhow::{Result, bail};
use serde_json::Value;

use super::{COMPILER_LEAK, tool};
use crate::command::{Run, run_each};
use crate::section::Ending;
use crate::workspace::Workspace;

const PACKAGES: &[&str] = &["task-core", "task-manager"];

/// Valgrind runs one thread at a time, about twenty times slower.
const VALGRIND: &[&str] = &[
    "--quiet",
    "--leak-check=full",
    // Memory that the runtime's threads hold at exit is reachable, and no leak.
    "--show-leak-kinds=definite,indirect",
    "--errors-for-leak-kinds=definite,indirect",
    "--error-exitcode=9",
];

pub(crate) fn run(workspace: &Workspace) -> Result<Ending> {
    if Run::program(workspace, "valgrind").arguments(["--version"]).read().is_err() {
        return Ok(Ending::Skipped("valgrind is not installed (Debian: valgrind)".to_owned()));
    }
    let all = PACKAGES.iter().flat_map(|package| ["-p", package]).chain(["--tests"]);
    let soak = ["-p", "task-manager", "--release", "--test", "soak"];
    let under = |test: &String| {
        Run::program(workspace, "valgrind")
            .arguments(VALGRIND)
            .arguments([test])
            .limit(super::LIMIT)
    };
    let tests = tests(workspace, all)?;
    run_each(tests.iter().map(|test| {
        under(test)
            .arguments(["--test-threads=1", "--skip", COMPILER_LEAK])
            .environment("TASK_SOAK", "2000")
    }))?;
    // A leak in each of a million tasks is easy to see.
    let soak = self::tests(workspace, soak)?;
    run_each(soak.iter().map(|test| {
        under(test).arguments(["ephemeral", "--nocapture"]).environment("TASK_SOAK", "1000000")
    }))?;
    Ok(Ending::Passed)
}

/// Builds test binaries, and returns their paths.
fn tests<'a>(
    workspace: &Workspace,
    which: impl IntoIterator<Item = &'a str>,
) -> Result<Vec<String>> {
    let (messages, _) = tool::cargo(workspace)
        .arguments(["test", "--locked", "--no-run", "--all-features", "--message-format", "json"])
        .arguments(which)
        .read()?;
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let tests = messages.filter(|message| message["profile"]["test"] == Value::Bool(true));
    let paths: Vec<String> =
        tests.filter_map(|message| message["executable"].as_str().map(str::to_owned)).collect();
    if paths.is_empty() {
        bail!("Cargo built no test");
    }
    Ok(paths)
}
