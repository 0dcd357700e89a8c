//! Runs clippy with every selection of features of every package.

use anyhow::Result;

use crate::command::{Run, run_each};
use crate::features::{Selection, selections};
use crate::section::Ending;
use crate::workspace::{Package, Workspace};

pub(crate) fn run(workspace: &Workspace) -> Result<Ending> {
    let packages = || workspace.packages.iter().filter(|package| !package.compiles_c);
    // The library alone comes first: dev-dependencies turn on features of shared dependencies, and
    // hide that the library does not request them.
    let libraries = packages().filter(|package| package.has_target("lib"));
    let alone = libraries.flat_map(|package| clippy_each(workspace, package, "--lib"));
    let whole = packages().flat_map(|package| clippy_each(workspace, package, "--all-targets"));
    run_each(alone.chain(whole))?;
    Ok(Ending::Passed)
}

fn clippy_each(workspace: &Workspace, package: &Package, targets: &str) -> Vec<Run> {
    let run = |selection: &Selection| clippy(workspace, package, targets, selection);
    selections(package).iter().map(run).collect()
}

/// Returns one run of clippy, warnings denied.
pub(crate) fn clippy(
    workspace: &Workspace,
    package: &Package,
    targets: &str,
    selection: &Selection,
) -> Run {
    Run::cargo(workspace)
        .arguments(["clippy", "--quiet", "--locked", "-p", &package.name, targets])
        .arguments(selection.arguments())
        .arguments(["--", "-D", "warnings"])
}
