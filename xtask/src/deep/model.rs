//! Model checkers: loom and shuttle replace what the code synchronises with, under a `cfg` of ours.

use std::path::Path;

use anyhow::Result;

use super::tool;
use crate::command::run_each;
use crate::section::Ending;
use crate::workspace::{Package, Workspace};

/// Runs every test target of that name with that `cfg`. Its builds have a directory of their own:
/// the flags differ from every other build's, and each would throw the other away.
pub(crate) fn run(workspace: &Workspace, target: &str, switch: &str) -> Result<Ending> {
    let named = |package: &&Package| {
        package.targets.iter().any(|other| other.kind == "test" && other.name == target)
    };
    let packages: Vec<&Package> = workspace.packages.iter().filter(named).collect();
    if packages.is_empty() {
        return Ok(Ending::Skipped(format!("no package has a test target named {target}")));
    }
    let folder = workspace.target.join(Path::new(target));
    run_each(packages.into_iter().map(|package| {
        tool::cargo(workspace)
            .arguments(["test", "--locked", "--release", "-p", &package.name, "--test", target])
            .environment("RUSTFLAGS", format!("--cfg {switch}"))
            .environment("CARGO_TARGET_DIR", &folder)
            .limit(super::LIMIT)
    }))?;
    Ok(Ending::Passed)
}
