//! Churn: the flagship is fed, ended in every way and deprived of what it relies on, and what came out is counted. The
//! harness is a program of its own, since it takes librdkafka; here it is built and run, with the arguments as they are.

use std::time::Duration;

use anyhow::Result;

use crate::command::{Run, run_each};
use crate::section::Ending;
use crate::workspace::Workspace;

pub(crate) const NAME: &str = "churn";
pub(crate) const USAGE: (&str, &str) =
    ("churn [OPTION...]", "all scenarios against the flagship; `churn --help`");

/// A long run is meant to be left alone overnight.
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
        ["clippy", "--quiet", "--locked", "-p", "churn", "--all-targets", "--", "-D", "warnings"];
    let test = ["test", "--quiet", "--locked", "-p", "churn"];
    run_each([Run::cargo(workspace).arguments(lint), Run::cargo(workspace).arguments(test)])?;
    build(workspace)?;
    harness(workspace).arguments(["--quick", "--jobs=3"]).limit(QUICK_LIMIT).run()?;
    Ok(Ending::Passed)
}

/// Both at once, so that Cargo turns on the same features of what they share.
fn build(workspace: &Workspace) -> Result<()> {
    let build = ["build", "--quiet", "--locked", "-p", "pipeline", "-p", "churn"];
    Run::cargo(workspace).arguments(build).run()
}

fn harness(workspace: &Workspace) -> Run {
    Run::program(workspace, workspace.target.join("debug").join("churn"))
}
