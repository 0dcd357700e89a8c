//! A build with `panic = "abort"`: a panic ends the process without cleanups, as documented.

use anyhow::{Result, bail};

use super::tool;
use crate::section::Ending;
use crate::workspace::Workspace;

const EXAMPLE: &[&str] = &["--quiet", "--locked", "-p", "task-manager", "--example", "panic_abort"];

pub(crate) fn run(workspace: &Workspace) -> Result<Ending> {
    let folder = workspace.target.join("abort");
    let cargo = |command: &str| {
        tool::cargo(workspace)
            .arguments([command])
            .arguments(EXAMPLE.iter().copied())
            .environment("CARGO_PROFILE_DEV_PANIC", "abort")
            .environment("CARGO_TARGET_DIR", &folder)
    };
    cargo("build").run()?;
    // Cargo ends with the signal of its child, or prints it.
    let Err(error) = cargo("run").read() else {
        bail!("the process caught the panic");
    };
    let text = format!("{error:#}");
    if !text.contains("SIGABRT") {
        bail!("the process did not abort: {text}");
    }
    if text.contains("cleaned up") {
        bail!("a cleanup ran: {text}");
    }
    Ok(Ending::Passed)
}
