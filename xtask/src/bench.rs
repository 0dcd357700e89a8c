//! The benchmarks: built for release and run, the arguments passed on. Nothing fails because a
//! machine is slow.

mod against;

use std::time::Duration;

use anyhow::Result;

use crate::command::Run;
use crate::workspace::Workspace;

pub(crate) const NAME: &str = "bench";
pub(crate) const USAGE: &[(&str, &str)] = &[
    ("bench [--quick] [SCENARIO...]", "all benchmarks but `cost`, or those named; `bench --help`"),
    ("bench kafka [--quick]", "`KafkaTask` beside the same loop written by hand"),
    (
        against::USAGE,
        "the benchmark of this tree and of another checkout in turns, nine pairs each",
    ),
];

/// How long all scenarios may take on a slow machine.
const LIMIT: Duration = Duration::from_secs(2 * 60 * 60);

/// A program of its own, since it needs librdkafka: a C++ compiler, and minutes the first time.
const KAFKA: &str = "kafka";

pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    if arguments.iter().any(|argument| argument == against::OPTION) {
        return against::run(workspace, arguments);
    }
    let (package, arguments) = match arguments {
        [first, rest @ ..] if first == KAFKA => ("task-kafka-bench", rest),
        _ => ("task-benches", arguments),
    };
    let build = ["run", "--quiet", "--release", "--package", package, "--"];
    let arguments = build.into_iter().chain(arguments.iter().map(String::as_str));
    Run::cargo(workspace).arguments(arguments).limit(LIMIT).run()
}
