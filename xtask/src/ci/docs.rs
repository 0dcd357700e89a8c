//! The documentation, as docs.rs builds it: a manifest with features requests all of them there,
//! which `tidy` checks. `task-kafka`, which requests none, has a separate section.

use anyhow::Result;

use crate::command::Run;
use crate::section::Ending;
use crate::workspace::Workspace;

pub(crate) fn run(workspace: &Workspace) -> Result<Ending> {
    let packages = workspace.light().flat_map(|package| ["-p", package.name.as_str()]);
    Run::cargo(workspace)
        .arguments(["doc", "--quiet", "--locked", "--no-deps", "--all-features"])
        .arguments(packages)
        .environment("RUSTDOCFLAGS", "-D warnings")
        .run()?;
    Ok(Ending::Passed)
}
