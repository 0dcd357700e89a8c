//! The tests, with plain `cargo test`: nothing has to be installed for them.

use anyhow::Result;

use super::FLAGSHIP;
use crate::command::{Run, run_each};
use crate::features::{Selection, selections};
use crate::section::Ending;
use crate::workspace::{Package, Workspace};

pub(crate) fn run(workspace: &Workspace) -> Result<Ending> {
    let everything = Run::cargo(workspace).arguments([
        "test",
        "--locked",
        "--workspace",
        "--exclude",
        FLAGSHIP,
        "--all-features",
    ]);
    let selected = workspace.published().flat_map(|package| {
        let apart =
            selections(package).into_iter().filter(|selection| *selection != Selection::All);
        apart.map(|selection| test(workspace, package, &selection)).collect::<Vec<_>>()
    });
    run_each(std::iter::once(everything).chain(selected))?;
    Ok(Ending::Passed)
}

/// `--tests` leaves out the doctests: they are about the crate with everything turned on.
fn test(workspace: &Workspace, package: &Package, selection: &Selection) -> Run {
    Run::cargo(workspace)
        .arguments(["test", "--quiet", "--locked", "-p", &package.name, "--tests"])
        .arguments(selection.arguments())
}
