//! Measures memory over a long run. Invariant 10.

use anyhow::Result;

use super::tool;
use crate::section::Ending;
use crate::workspace::Workspace;

/// The number of tasks, failures and so on.
const MANY: &str = "1000000";

pub(crate) fn run(workspace: &Workspace) -> Result<Ending> {
    tool::cargo(workspace)
        .arguments(["test", "--locked", "--release", "--all-features"])
        .arguments(["-p", "task-manager", "-p", "task-restart"])
        .arguments(["--test", "soak", "--", "--nocapture"])
        .environment("TASK_SOAK", MANY)
        .limit(super::LIMIT)
        .run()?;
    Ok(Ending::Passed)
}
