//! Builds and tests the flagship service, and then operates it.

mod scenario;

use anyhow::Result;

use super::lint::clippy;
use crate::command::{Run, run_each};
use crate::features::Selection;
use crate::flagship::{self, FLAGSHIP};
use crate::section::Ending;
use crate::workspace::Workspace;

/// Uses only the default features: `tls` is checked with `task-kafka`.
pub(crate) fn run(workspace: &Workspace) -> Result<Ending> {
    let package = workspace.package(FLAGSHIP)?;
    run_each([
        clippy(workspace, package, "--all-targets", &Selection::Default),
        Run::cargo(workspace).arguments(["test", "--locked", "-p", FLAGSHIP]).tests(),
        flagship::build(workspace),
    ])?;
    scenario::run(workspace)?;
    Ok(Ending::Passed)
}
