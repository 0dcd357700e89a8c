//! Signals as the first process of a pid namespace, which is what a container's entry point is.

use anyhow::Result;

use super::tool;
use crate::section::Ending;
use crate::workspace::Workspace;

/// Runs the tests that are left out elsewhere, since not everybody may make a namespace.
pub(crate) fn run(workspace: &Workspace) -> Result<Ending> {
    tool::cargo(workspace)
        .arguments(["test", "--locked", "--all-features", "-p", "task-signal", "--test", "it"])
        .arguments(["first_process", "--", "--ignored"])
        .limit(super::LIMIT)
        .run()?;
    Ok(Ending::Passed)
}
