//! Signals as the first process of a pid namespace, as for a container's entry point.

use anyhow::Result;

use super::tool;
use crate::section::Ending;
use crate::workspace::Workspace;

/// Runs tests that are ignored by default, because creating a namespace takes a permission.
pub(crate) fn run(workspace: &Workspace) -> Result<Ending> {
    tool::cargo(workspace)
        .arguments(["test", "--locked", "--all-features", "-p", "task-signal", "--test", "it"])
        .arguments(["first_process", "--", "--ignored"])
        .limit(super::LIMIT)
        .run()?;
    Ok(Ending::Passed)
}
