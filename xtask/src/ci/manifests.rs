//! Checks that the manifests cause no warnings and that the lock file is up to date.

use anyhow::{Result, bail};

use crate::command::Run;
use crate::section::Ending;
use crate::workspace::Workspace;

/// `cargo fetch` is the cheapest command that reads every manifest and prints their warnings.
pub(crate) fn run(workspace: &Workspace) -> Result<Ending> {
    // Without a target it would fetch the dependencies of all platforms.
    let fetch =
        Run::cargo(workspace).arguments(["fetch", "--locked", "--target", &workspace.host()?]);
    let (_, messages) = fetch.read()?;
    let warnings: Vec<&str> = messages.lines().filter(|line| line.starts_with("warning")).collect();
    if !warnings.is_empty() {
        bail!("cargo warns:\n{}", warnings.join("\n"));
    }
    Ok(Ending::Passed)
}
