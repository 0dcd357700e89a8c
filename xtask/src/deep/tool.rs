//! Tools that a lane brings along by itself, and the environment that keeps rustup out of it.

use std::path::PathBuf;

use anyhow::Result;

use crate::command::Run;
use crate::workspace::Workspace;

/// Nobody answers there: a tool that asks rustup for a component fails at once, and says so.
const NOWHERE: &str = "http://127.0.0.1:9";

/// A Cargo that cannot make rustup download anything and finds what [`install`] installed.
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
    // Does nothing if that version is there.
    Run::cargo(workspace)
        .arguments(["install", "--quiet", "--locked", "--root", &root])
        .arguments([format!("{name}@{version}")])
        .run()
}

fn folder(workspace: &Workspace) -> PathBuf {
    workspace.target.join("tools")
}
