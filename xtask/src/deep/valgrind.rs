//! Leaks that the type system allows: cycles of `Arc`, wakers that nobody takes back.

use anyhow::{Result, bail};
use serde_json::Value;

use super::tool;
use crate::command::{Run, run_each};
use crate::section::Ending;
use crate::workspace::Workspace;

const PACKAGES: &[&str] = &["task-core", "task-manager"];

/// Valgrind runs one thread at a time, some twenty times slower; so do the tests.
const VALGRIND: &[&str] = &[
    "--quiet",
    "--leak-check=full",
    // What the runtime's threads still hold at exit is reachable, and no leak.
    "--show-leak-kinds=definite,indirect",
    "--errors-for-leak-kinds=definite,indirect",
    "--error-exitcode=9",
];

pub(crate) fn run(workspace: &Workspace) -> Result<Ending> {
    if Run::program(workspace, "valgrind").arguments(["--version"]).read().is_err() {
        return Ok(Ending::Skipped("valgrind is not installed (Debian: valgrind)".to_owned()));
    }
    let tests = tests(workspace)?;
    run_each(tests.iter().map(|test| {
        Run::program(workspace, "valgrind")
            .arguments(VALGRIND)
            .arguments([test.as_str(), "--test-threads=1"])
            .environment("TASK_SOAK", "2000")
            .limit(super::LIMIT)
    }))?;
    Ok(Ending::Passed)
}

/// Builds the test binaries, and returns where Cargo put them.
fn tests(workspace: &Workspace) -> Result<Vec<String>> {
    let (messages, _) = tool::cargo(workspace)
        .arguments(["test", "--locked", "--no-run", "--tests", "--all-features"])
        .arguments(["--message-format", "json"])
        .arguments(PACKAGES.iter().flat_map(|package| ["-p", package]))
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
