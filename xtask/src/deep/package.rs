//! Builds the tarballs that would be published on crates.io.

use anyhow::Result;

use super::tool;
use crate::section::Ending;
use crate::workspace::Workspace;

/// Builds every published crate from its own tarball, with the others taken from theirs.
pub(crate) fn run(workspace: &Workspace) -> Result<Ending> {
    let packages = workspace.published().flat_map(|package| ["-p", package.name.as_str()]);
    tool::cargo(workspace)
        .arguments(["package", "--locked", "--allow-dirty"])
        .arguments(packages)
        .run()?;
    Ok(Ending::Passed)
}
