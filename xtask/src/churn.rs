//! Churn: the flagship is fed, killed or stopped, loses its brokers and its database, and its
//! output is counted. The harness is a separate program, because it compiles librdkafka; this
//! module builds it and runs it with the arguments as they are.

use std::time::Duration;

use anyhow::Result;

use crate::command::{Run, run_each};
use crate::flagship::FLAGSHIP;
use crate::section::Ending;
use crate::workspace::Workspace;

pub(crate) const NAME: &str = "churn";
pub(crate) const PACKAGE: &str = "churn";
pub(crate) const USAGE: (&str, &str) =
    ("churn [OPTION...]", "all scenarios against the flagship; `churn --help`");

/// The time that a long run may take: it is meant to run unattended overnight.
const LIMIT: Duration = Duration::from_secs(24 * 60 * 60);
/// Two minutes, and what a slow machine adds.
const QUICK_LIMIT: Duration = Duration::from_secs(6 * 60);

pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    build(workspace)?;
    harness(workspace).arguments(arguments).limit(LIMIT).run()
}

/// The short selection, as a section of CI.
pub(crate) fn quick(workspace: &Workspace) -> Result<Ending> {
    let lint =
        ["clippy", "--quiet", "--locked", "-p", PACKAGE, "--all-targets", "--", "-D", "warnings"];
    let test = ["test", "--quiet", "--locked", "-p", PACKAGE];
    run_each([Run::cargo(workspace).arguments(lint), Run::cargo(workspace).arguments(test)])?;
    build(workspace)?;
    harness(workspace).arguments(["--quick", "--jobs=3"]).limit(QUICK_LIMIT).run()?;
    Ok(Ending::Passed)
}

/// Builds both in one command, so that Cargo unifies the features of their shared dependencies.
fn build(workspace: &Workspace) -> Result<()> {
    let build = ["build", "--quiet", "--locked", "-p", FLAGSHIP, "-p", PACKAGE];
    Run::cargo(workspace).arguments(build).run()
}

fn harness(workspace: &Workspace) -> Run {
    Run::program(workspace, workspace.target.join("debug").join(PACKAGE))
}
