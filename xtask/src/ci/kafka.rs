//! `task-kafka`, which compiles librdkafka: what the other sections do for the other crates, once.

use anyhow::Result;

use super::lint::clippy;
use crate::command::{Run, run_each};
use crate::features::Selection;
use crate::section::Ending;
use crate::workspace::{Package, Workspace};

pub(super) const PACKAGE: &str = "task-kafka";
/// Only compiled: a measurement neither passes nor fails.
const BENCH: &str = "task-kafka-bench";

/// Whether the section [`run`] checks this package.
pub(super) fn is_checked(package: &Package) -> bool {
    [PACKAGE, BENCH].contains(&package.name.as_str())
}

/// Only the default features, which are none, are tested: `tls` changes nothing in the crate
/// itself, only how librdkafka is built.
pub(super) fn run(workspace: &Workspace) -> Result<Ending> {
    let package = workspace.package(PACKAGE)?;
    run_each([
        clippy(workspace, package, "--lib", &Selection::Default),
        clippy(workspace, package, "--all-targets", &Selection::Default),
        clippy(workspace, workspace.package(BENCH)?, "--all-targets", &Selection::Default),
        Run::cargo(workspace)
            .arguments(["test", "--locked", "-p", PACKAGE, "--tests"])
            // Most of the time they wait for a consumer group to form.
            .arguments(["--", "--test-threads", "6"])
            .tests(),
        Run::cargo(workspace)
            .arguments(["check", "--quiet", "--locked", "-p", PACKAGE, "--features", "tls"])
            // It is not run, so it need not be fast: a third of the time.
            .environment("CFLAGS", "-O0"),
    ])?;
    Ok(Ending::Passed)
}

pub(super) fn docs(workspace: &Workspace) -> Result<Ending> {
    run_each([
        Run::cargo(workspace)
            .arguments(["test", "--quiet", "--locked", "-p", PACKAGE, "--doc"])
            .tests(),
        Run::cargo(workspace)
            .arguments(["doc", "--quiet", "--locked", "--no-deps", "-p", PACKAGE])
            .environment("RUSTDOCFLAGS", "-D warnings"),
    ])?;
    Ok(Ending::Passed)
}
