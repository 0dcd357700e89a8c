//! Churn: the flagship is fed, killed or stopped, loses its brokers and its database, and its
//! output is counted. The harness is a separate program, because it compiles librdkafka; this
//! module builds it and runs it with the arguments as they are. It also has what starts and ends
//! Apache Kafka.

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
pub(crate) const KAFKA: &str = "kafka";
pub(crate) const KAFKA_USAGE: (&str, &str) =
    ("kafka up|down", "Apache Kafka on 127.0.0.1, one node or three; `kafka help`");

/// The time that a long run may take: it is meant to run unattended overnight.
const LIMIT: Duration = Duration::from_secs(24 * 60 * 60);
/// The rounds of each scenario in `deep`.
const ROUNDS: &str = "100";
/// Two minutes, and what a slow machine adds.
const QUICK_LIMIT: Duration = Duration::from_secs(6 * 60);

pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    build(workspace)?;
    harness(workspace).arguments(arguments).limit(LIMIT).run()
}

/// Starts or ends Apache Kafka.
pub(crate) fn kafka(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    build(workspace)?;
    harness(workspace).arguments([KAFKA]).arguments(arguments).run()
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

/// The short selection on Apache Kafka, one node, as a section of CI: where its Java and Maven are.
pub(crate) fn quick_on_apache(workspace: &Workspace) -> Result<Ending> {
    for (program, package) in [("java", "openjdk-17-jre-headless"), ("mvn", "maven")] {
        if Run::program(workspace, program).arguments(["-version"]).read().is_err() {
            return Ok(Ending::Skipped(format!("no `{program}` here (Debian: {package})")));
        }
    }
    build(workspace)?;
    let quick = ["--broker=apache", "--quick", "--jobs=3"];
    harness(workspace).arguments(quick).limit(QUICK_LIMIT).run()?;
    Ok(Ending::Passed)
}

/// Everything on Apache Kafka, as a lane of `deep`: at least once on one node, and in transactions
/// on three, each scenario for [`ROUNDS`] rounds at the least, or as often as `CHURN_ROUNDS` says.
pub(crate) fn deep(workspace: &Workspace) -> Result<Ending> {
    build(workspace)?;
    let rounds = std::env::var("CHURN_ROUNDS").unwrap_or_else(|_| ROUNDS.to_owned());
    let rounds = format!("--rounds={rounds}");
    let apache = || harness(workspace).arguments(["--broker=apache", &rounds]).limit(LIMIT);
    run_each([
        apache(),
        // Nodes that are killed need the machine for themselves.
        apache().arguments(["--nodes=3", "--transactions", "--rate=300", "--jobs=1"]),
    ])?;
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
