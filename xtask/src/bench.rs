//! The benchmarks: built for release, and run with the arguments as they are. They are a chore with options of its own,
//! and no test: nothing fails because a machine is slow.

use std::time::Duration;

use anyhow::Result;

use crate::command::Run;
use crate::workspace::Workspace;

pub(crate) const NAME: &str = "bench";
pub(crate) const USAGE: &str = "bench [--quick] [SCENARIO...]     all benchmarks but `cost`, or those named; see `bench --help`";

/// What all scenarios may take on a slow machine.
const LIMIT: Duration = Duration::from_secs(2 * 60 * 60);

pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    let build = ["run", "--quiet", "--release", "--package", "task-benches", "--"];
    let arguments = build.into_iter().chain(arguments.iter().map(String::as_str));
    Run::cargo(workspace).arguments(arguments).limit(LIMIT).run()
}
