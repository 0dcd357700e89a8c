//! Runs the tests with plain `cargo test`, which needs no other tool.

use std::time::Duration;

use anyhow::Result;

use crate::command::{Run, run_each};
use crate::features::{Selection, selections};
use crate::section::Ending;
use crate::workspace::{Package, Workspace};

/// The time that the tests may run once they are built. They take five minutes on two cores, half
/// of that for the scenarios of `wedge`, one after another; this ends one that hangs.
const LIMIT: Duration = Duration::from_secs(15 * 60);

pub(super) fn run(workspace: &Workspace) -> Result<Ending> {
    // Built first, so that the limit applies to the tests and not to the speed of the compiler.
    // This also builds the examples.
    let built = everything(workspace).arguments(["--quiet", "--no-run"]);
    let all = everything(workspace).arguments(["--tests", "--no-fail-fast"]).limit(LIMIT).tests();
    let selected = workspace.light().flat_map(|package| {
        let apart = selections(package).into_iter().filter(|it| *it != Selection::All);
        apart.map(|selection| test(workspace, package, &selection)).collect::<Vec<_>>()
    });
    run_each([built, all].into_iter().chain(selected))?;
    Ok(Ending::Passed)
}

pub(super) fn doctests(workspace: &Workspace) -> Result<Ending> {
    everything(workspace)
        .arguments(["--quiet", "--doc", "--no-fail-fast"])
        .limit(LIMIT)
        .tests()
        .run()?;
    Ok(Ending::Passed)
}

/// All packages with all features, but for those that compile librdkafka.
fn everything(workspace: &Workspace) -> Run {
    let apart = workspace.packages.iter().filter(|package| package.compiles_c);
    let apart = apart.flat_map(|package| ["--exclude", &package.name]);
    Run::cargo(workspace)
        .arguments(["test", "--locked", "--workspace", "--all-features"])
        .arguments(apart)
}

/// The unit tests and the suite that every crate has, `tests/it`. Doctests are written for all
/// features, and the slow suites beside `it` run once, with all features, too.
fn test(workspace: &Workspace, package: &Package, selection: &Selection) -> Run {
    let suite = package.targets.iter().any(|target| target.kind == "test" && target.name == "it");
    let suite: &[&str] = if suite { &["--test", "it"] } else { &[] };
    Run::cargo(workspace)
        .arguments(["test", "--quiet", "--locked", "-p", &package.name, "--lib"])
        .arguments(suite)
        .arguments(selection.arguments())
        .limit(LIMIT)
        .tests()
}
