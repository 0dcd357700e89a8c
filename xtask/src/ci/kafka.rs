//! `task-kafka`, which compiles librdkafka: what the other sections do for the other crates, but once.

use anyhow::Result;

use super::lint::clippy;
use crate::command::{Run, run_each};
use crate::features::Selection;
use crate::section::Ending;
use crate::workspace::Workspace;

const PACKAGE: &str = "task-kafka";
/// Compiled only: what it measures is nothing to pass or to fail.
const BENCH: &str = "task-kafka-bench";

/// The whole of it is tested with its default features, which are none: `tls` changes nothing in the crate itself, only
/// how librdkafka is built.
pub(crate) fn run(workspace: &Workspace) -> Result<Ending> {
    let package = workspace.package(PACKAGE)?;
    run_each([
        clippy(workspace, package, "--lib", &Selection::Default),
        clippy(workspace, package, "--all-targets", &Selection::Default),
        clippy(workspace, workspace.package(BENCH)?, "--all-targets", &Selection::Default),
        Run::cargo(workspace)
            .arguments(["test", "--locked", "-p", PACKAGE])
            // Most of the time they wait for a group to form.
            .arguments(["--", "--test-threads", "6"]),
        Run::cargo(workspace)
            .arguments(["doc", "--quiet", "--locked", "--no-deps", "-p", PACKAGE])
            .environment("RUSTDOCFLAGS", "-D warnings"),
        Run::cargo(workspace)
            .arguments(["check", "--quiet", "--locked", "-p", PACKAGE, "--features", "tls"])
            // It is not run, so it need not be fast: a third of the time.
            .environment("CFLAGS", "-O0"),
    ])?;
    Ok(Ending::Passed)
}
