//! The documentation, as docs.rs builds it: a manifest that has features asks for all of them there, too, which
//! `tidy` sees to. That of `task-kafka`, which asks for none, is in its own section.

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
