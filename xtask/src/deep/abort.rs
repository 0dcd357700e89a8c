//! A build with `panic = "abort"`: that nothing is cleaned up then is a promise too, and a documented one.

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
    // Cargo dies of the signal that its child died of, or says so.
    let Err(error) = cargo("run").read() else {
        bail!("the process ended as if it could catch the panic");
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
