//! Breaking changes of the public APIs since a release, by cargo-semver-checks.

use anyhow::Result;

use super::tool;
use crate::command::Run;
use crate::section::Ending;
use crate::workspace::Workspace;

/// The variable that names the commit to compare with.
const BASELINE: &str = "TASK_BASELINE";

pub(crate) fn run(workspace: &Workspace) -> Result<Ending> {
    let last_tag = || {
        let git = Run::program(workspace, "git").arguments(["describe", "--tags", "--abbrev=0"]);
        git.read().map(|(tag, _)| tag.trim().to_owned())
    };
    let Ok(baseline) = std::env::var(BASELINE).or_else(|_| last_tag()) else {
        let why = format!("nothing is released, and {BASELINE} names no commit");
        return Ok(Ending::Skipped(why));
    };
    tool::install(workspace, "cargo-semver-checks", "0.51.0")?;
    let packages = workspace.light().flat_map(|package| ["-p", package.name.as_str()]);
    tool::cargo(workspace)
        .arguments(["semver-checks", "--all-features", "--baseline-rev", &baseline])
        .arguments(packages)
        .limit(super::LIMIT)
        .run()?;
    Ok(Ending::Passed)
}
