//! The tests, with plain `cargo test`: nothing has to be installed for them.

use std::time::Duration;

use anyhow::Result;

use crate::command::{Run, run_each};
use crate::features::{Selection, selections};
use crate::section::Ending;
use crate::workspace::{Package, Workspace};

/// How long the tests may run once they are built. They take a minute; one that hangs ends here.
const LIMIT: Duration = Duration::from_secs(5 * 60);

pub(crate) fn run(workspace: &Workspace) -> Result<Ending> {
    let apart = workspace.packages.iter().filter(|package| package.compiles_c);
    let apart: Vec<_> = apart.flat_map(|package| ["--exclude", &package.name]).collect();
    let everything = || {
        Run::cargo(workspace)
            .arguments(["test", "--locked", "--workspace", "--all-features"])
            .arguments(&apart)
    };
    // Built first, so that the limit is about the tests and not about the machine.
    let built = everything().arguments(["--quiet", "--no-run"]);
    let all = everything().arguments(["--no-fail-fast"]).limit(LIMIT);
    let selected = workspace.light().flat_map(|package| {
        let apart = selections(package).into_iter().filter(|it| *it != Selection::All);
        apart.map(|selection| test(workspace, package, &selection)).collect::<Vec<_>>()
    });
    run_each([built, all].into_iter().chain(selected))?;
    Ok(Ending::Passed)
}

/// The unit tests and the suite that every crate has, `tests/it`. Doctests are about the crate with
/// everything turned on, and the slow suites beside `it` run once, there, too.
fn test(workspace: &Workspace, package: &Package, selection: &Selection) -> Run {
    let suite = package.targets.iter().any(|target| target.kind == "test" && target.name == "it");
    let suite: &[&str] = if suite { &["--test", "it"] } else { &[] };
    Run::cargo(workspace)
        .arguments(["test", "--quiet", "--locked", "-p", &package.name, "--lib"])
        .arguments(suite)
        .arguments(selection.arguments())
        .limit(LIMIT)
}
