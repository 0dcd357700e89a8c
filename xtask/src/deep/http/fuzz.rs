//! Random requests and headers, many more than the tests use by default.

use anyhow::Result;

use crate::command::Run;
use crate::section::Ending;
use crate::workspace::Workspace;

/// The number of cases of each kind, unless `TASK_FUZZ_CASES` is set.
const CASES: &str = "10000";

pub(crate) fn run(workspace: &Workspace) -> Result<Ending> {
    let cases = std::env::var("TASK_FUZZ_CASES").unwrap_or_else(|_| CASES.to_owned());
    Run::cargo(workspace)
        .arguments(["test", "--locked", "-p", "task-http", "--all-features", "--test", "fuzz"])
        .environment("TASK_FUZZ_CASES", cases)
        .run()?;
    Ok(Ending::Passed)
}
