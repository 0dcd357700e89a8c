//! Tools that a lane installs, and an environment in which rustup downloads nothing.

use std::path::PathBuf;

use anyhow::Result;

use crate::command::Run;
use crate::workspace::Workspace;

/// A port without a server: a tool that requests a component from rustup fails at once with an
/// error.
const NOWHERE: &str = "http://127.0.0.1:9";

/// Returns a Cargo that cannot make rustup download anything, and that finds what [`install`]
/// installed.
pub(crate) fn cargo(workspace: &Workspace) -> Run {
    let own = [folder(workspace).join("bin")];
    let inherited = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(own.into_iter().chain(std::env::split_paths(&inherited)));
    Run::cargo(workspace)
        .hidden("RUSTUP_DIST_SERVER", NOWHERE)
        .hidden("PATH", path.unwrap_or(inherited))
}

/// Installs a Cargo subcommand below `target/`, once; nothing changes outside the workspace.
///
/// # Errors
///
/// It could not be fetched or built.
pub(crate) fn install(workspace: &Workspace, name: &str, version: &str) -> Result<()> {
    let root = folder(workspace).to_string_lossy().into_owned();
    // Does nothing if that version is installed.
    Run::cargo(workspace)
        .arguments(["install", "--quiet", "--locked", "--root", &root])
        .arguments([format!("{name}@{version}")])
        .run()
}

fn folder(workspace: &Workspace) -> PathBuf {
    workspace.target.join("tools")
}
