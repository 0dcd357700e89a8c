//! Rollout: servers are stopped and replaced under load, and what their clients lose is counted.
//! The harness is a separate program, because it brings clients and the servers to compare with;
//! this module builds it and runs it with the arguments as they are.

use std::time::Duration;

use anyhow::Result;

use crate::command::Run;
use crate::platform::install;
use crate::section::Ending;
use crate::workspace::Workspace;

pub(crate) const NAME: &str = "rollout";
pub(crate) const PACKAGE: &str = "rollout";
pub(crate) const USAGE: (&str, &str) =
    ("rollout [OPTION...]", "servers stopped and replaced under load; `rollout --help`");

/// The one server under test that is a program of its own.
const SHOP: &str = "shop";

/// The time that all scenarios may take, with many more rounds than usual.
const LIMIT: Duration = Duration::from_secs(6 * 60 * 60);
/// A minute and a half, and what a slow machine adds.
const QUICK_LIMIT: Duration = Duration::from_secs(5 * 60);
/// A file, and the package of Debian that has it.
const HAPROXY: (&str, &str) = ("/usr/sbin/haproxy", "haproxy");

pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    build(workspace, &[PACKAGE, SHOP])?;
    let needs_no_proxy =
        |argument: &String| ["--help", "-h", "--quick", "--list"].contains(&argument.as_str());
    if !arguments.iter().any(needs_no_proxy)
        && let Err(error) = install(workspace, &[HAPROXY])
    {
        // The harness skips what needs it, and prints that.
        println!("{error:#}");
    }
    harness(workspace).arguments(arguments).limit(LIMIT).run()
}

/// The short selection, as a section of CI.
pub(crate) fn quick(workspace: &Workspace) -> Result<Ending> {
    build(workspace, &[PACKAGE])?;
    harness(workspace).arguments(["--quick"]).limit(QUICK_LIMIT).run()?;
    Ok(Ending::Passed)
}

/// Everything, as a lane of `deep`. It never leaves a proxy out.
pub(crate) fn deep(workspace: &Workspace) -> Result<Ending> {
    build(workspace, &[PACKAGE, SHOP])?;
    install(workspace, &[HAPROXY])?;
    let json = workspace.target.join("rollout.json").to_string_lossy().into_owned();
    harness(workspace).arguments(["--require-proxies", "--json", &json]).limit(LIMIT).run()?;
    Ok(Ending::Passed)
}

/// Builds all in one command, so that Cargo unifies the features of their shared dependencies.
fn build(workspace: &Workspace, packages: &[&str]) -> Result<()> {
    let packages = packages.iter().flat_map(|package| ["-p", package]);
    Run::cargo(workspace).arguments(["build", "--quiet", "--locked"]).arguments(packages).run()
}

fn harness(workspace: &Workspace) -> Run {
    Run::program(workspace, workspace.target.join("debug").join(PACKAGE))
}
