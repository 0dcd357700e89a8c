//! The tests, with plain `cargo test`: nothing has to be installed for them.

use std::time::Duration;

use anyhow::Result;

use super::FLAGSHIP;
use crate::command::{Run, run_each};
use crate::features::{Selection, selections};
use crate::section::Ending;
use crate::workspace::{Package, Workspace};

/// How long the tests may run once they are built. They take a minute; one that hangs ends here.
const LIMIT: Duration = Duration::from_secs(5 * 60);

pub(crate) fn run(workspace: &Workspace) -> Result<Ending> {
    let everything = || {
        Run::cargo(workspace)
            .arguments(["test", "--locked", "--workspace", "--exclude", FLAGSHIP])
            .arguments(["--all-features"])
    };
    // Built first, so that the limit is about the tests and not about the machine.
    let built = everything().arguments(["--quiet", "--no-run"]);
    let all = everything().arguments(["--no-fail-fast"]).limit(LIMIT);
    let selected = workspace.published().flat_map(|package| {
        let apart = selections(package).into_iter().filter(|it| *it != Selection::All);
        apart.map(|selection| test(workspace, package, &selection)).collect::<Vec<_>>()
    });
    run_each([built, all].into_iter().chain(selected))?;
    Ok(Ending::Passed)
}

/// `--tests` leaves out the doctests: they are about the crate with everything turned on.
fn test(workspace: &Workspace, package: &Package, selection: &Selection) -> Run {
    Run::cargo(workspace)
        .arguments(["test", "--quiet", "--locked", "-p", &package.name, "--tests"])
        .arguments(selection.arguments())
        .limit(LIMIT)
}
