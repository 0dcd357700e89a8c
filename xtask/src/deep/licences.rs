//! Licences, sources and known faults of the dependencies, by cargo-deny and `deny.toml`.

use anyhow::Result;

use super::tool;
use crate::section::Ending;
use crate::workspace::Workspace;

/// What needs nothing but the lock file and the registry.
const CHECKS: &[&str] = &["bans", "licenses", "sources"];

pub(crate) fn run(workspace: &Workspace) -> Result<Ending> {
    tool::install(workspace, "cargo-deny", "0.20.2")?;
    let deny = |command: &[&str]| {
        tool::cargo(workspace).arguments(["deny", "--all-features", "--locked"]).arguments(command)
    };
    deny(&["check"]).arguments(CHECKS).run()?;
    // The database of advisories is a repository of its own.
    if deny(&["fetch", "db"]).run().is_err() {
        let why = "in part: the database of advisories cannot be fetched here";
        return Ok(Ending::Skipped(why.to_owned()));
    }
    deny(&["check", "advisories"]).run()?;
    Ok(Ending::Passed)
}
