//! Random requests and headers, many more than in the tests' everyday run.

use anyhow::Result;

use crate::command::Run;
use crate::section::Ending;
use crate::workspace::Workspace;

/// How many of each kind, unless the environment says otherwise.
const CASES: &str = "10000";

pub(crate) fn run(workspace: &Workspace) -> Result<Ending> {
    let cases = std::env::var("TASK_FUZZ_CASES").unwrap_or_else(|_| CASES.to_owned());
    Run::cargo(workspace)
        .arguments(["test", "--locked", "-p", "task-http", "--all-features", "--test", "fuzz"])
        .environment("TASK_FUZZ_CASES", cases)
        .run()?;
    Ok(Ending::Passed)
}
