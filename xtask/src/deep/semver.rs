//! Breaking changes of the public APIs since a release, by cargo-semver-checks.

use anyhow::{Result, bail};

use super::tool;
use crate::command::Run;
use crate::section::Ending;
use crate::workspace::{Package, Workspace};

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
    let is_old = |package: &&Package| {
        let manifest = format!("{baseline}:{}/Cargo.toml", package.folder.display());
        let git = Run::program(workspace, "git").arguments(["cat-file", "-e", &manifest]);
        let is_old = git.read().is_ok();
        if !is_old {
            println!("{}: not there at {baseline}", package.name);
        }
        is_old
    };
    let packages = workspace.light().filter(is_old);
    let packages: Vec<&str> = packages.flat_map(|package| ["-p", &package.name]).collect();
    if packages.is_empty() {
        bail!("{baseline} is no commit, or has none of the crates");
    }
    tool::cargo(workspace)
        .arguments(["semver-checks", "--all-features", "--baseline-rev", &baseline])
        .arguments(packages)
        .limit(super::LIMIT)
        .run()?;
    Ok(Ending::Passed)
}
