//! Mutation testing with cargo-mutants.

use std::time::Duration;

use anyhow::Result;

use super::tool;
use crate::command::Run;
use crate::section::Ending;
use crate::workspace::Workspace;

/// Every mutant takes a build and a test run.
const LIMIT: Duration = Duration::from_secs(24 * 60 * 60);

pub(crate) fn run(workspace: &Workspace) -> Result<Ending> {
    tool::install(workspace, "cargo-mutants", "27.1.0")?;
    let packages = workspace.light().flat_map(|package| ["-p", package.name.as_str()]);
    let mut mutants = tool::cargo(workspace)
        .arguments(["mutants", "--all-features", "--output", &workspace.target.to_string_lossy()])
        .arguments(packages);
    // nextest stops at the first test that fails, and a limit applies to each test.
    if Run::cargo(workspace).arguments(["nextest", "--version"]).read().is_ok() {
        mutants =
            mutants.arguments(["--test-tool", "nextest"]).hidden("NEXTEST_PROFILE", "mutants");
    }
    mutants
        // Running the doctests for each mutant is slow.
        .arguments(["--", "--locked", "--tests"])
        .limit(LIMIT)
        .run()?;
    Ok(Ending::Passed)
}
