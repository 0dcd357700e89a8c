//! Manifests without warnings, and a lock file that fits them.

use anyhow::{Result, bail};

use crate::command::Run;
use crate::section::Ending;
use crate::workspace::Workspace;

/// `cargo fetch` is the cheapest command that reads every manifest and prints their warnings.
pub(crate) fn run(workspace: &Workspace) -> Result<Ending> {
    let host = host(workspace)?;
    let fetch = Run::cargo(workspace).arguments(["fetch", "--locked", "--target", &host]);
    let (_, messages) = fetch.read()?;
    let warnings: Vec<&str> = messages.lines().filter(|line| line.starts_with("warning")).collect();
    if !warnings.is_empty() {
        bail!("cargo warns:\n{}", warnings.join("\n"));
    }
    Ok(Ending::Passed)
}

/// The platform of this machine; without it Cargo fetches the dependencies of all platforms.
fn host(workspace: &Workspace) -> Result<String> {
    let (version, _) = Run::program(workspace, "rustc").arguments(["-vV"]).read()?;
    match version.lines().find_map(|line| line.strip_prefix("host: ")) {
        Some(host) => Ok(host.to_owned()),
        None => bail!("rustc -vV names no host"),
    }
}
