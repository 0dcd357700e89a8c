//! The benchmarks: built for release, and run with the arguments as they are. They are a chore with options of its own,
//! and no test: nothing fails because a machine is slow.

use std::time::Duration;

use anyhow::Result;

use crate::command::Run;
use crate::workspace::Workspace;

pub(crate) const NAME: &str = "bench";
pub(crate) const USAGE: &str = "bench [--quick] [SCENARIO...]     all benchmarks but `cost`, or those named; see `bench --help`;
       cargo xtask bench kafka [--quick]          `KafkaTask` beside the same loop written by hand";

/// What all scenarios may take on a slow machine.
const LIMIT: Duration = Duration::from_secs(2 * 60 * 60);

/// What takes librdkafka, and so a C++ compiler and minutes the first time, is a program of its own.
const KAFKA: &str = "kafka";

pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    let (package, arguments) = match arguments {
        [first, rest @ ..] if first == KAFKA => ("task-kafka-bench", rest),
        _ => ("task-benches", arguments),
    };
    let build = ["run", "--quiet", "--release", "--package", package, "--"];
    let arguments = build.into_iter().chain(arguments.iter().map(String::as_str));
    Run::cargo(workspace).arguments(arguments).limit(LIMIT).run()
}
