//! Starts the flagship service as a child, on its embedded defaults and in a separate folder.

use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::command::Run;
use crate::running::Running;
use crate::workspace::Workspace;

/// Its package. Like `task-kafka` it compiles librdkafka, which takes a C++ compiler and minutes,
/// so most sections of CI leave both out. CI builds librdkafka once, and once more with TLS.
pub(crate) const FLAGSHIP: &str = "pipeline";
/// The time it may take to start: joining a consumer group alone takes some seconds.
pub(crate) const START: Duration = Duration::from_secs(60);
/// The time its shutdown may take. Its own `shutdown_timeout` is 25 s, the drain included.
pub(crate) const STOP: Duration = Duration::from_secs(30);

/// Returns the command that builds it.
pub(crate) fn build(workspace: &Workspace) -> Run {
    Run::cargo(workspace).arguments(["build", "--quiet", "--locked", "-p", FLAGSHIP])
}

/// Starts the built program with these flags and a free port, in an empty folder below `target/`.
pub(crate) fn start(workspace: &Workspace, folder: &str, flags: &[&str]) -> Result<Running> {
    let folder = workspace.target.join(folder);
    // The service creates its database there. One from an earlier run would hide a failure to do
    // so.
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    let program = workspace.target.join("debug").join(FLAGSHIP);
    let mut command = Run::program(workspace, program)
        .arguments(["--http-address=127.0.0.1:0"])
        .arguments(flags)
        .into_command();
    command.current_dir(folder);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("PIPELINE_") {
            command.env_remove(name);
        }
    }
    Running::start(command)
}

/// Returns the address of its metrics and probes, once its log names it.
pub(crate) fn address(output: &str) -> Result<Option<SocketAddr>> {
    let Some((_, rest)) = output.split_once("http://") else { return Ok(None) };
    let address = rest.split_whitespace().next().unwrap_or_default();
    Ok(Some(address.parse().with_context(|| format!("`{address}` is not an address"))?))
}

#[cfg(test)]
mod tests {
    use super::address;

    #[test]
    fn the_address_follows_the_scheme() {
        assert_eq!(address("starting\n").unwrap(), None);
        let log = "INFO metrics and probes at http://127.0.0.1:4000\nINFO more\n";
        assert_eq!(address(log).unwrap(), Some("127.0.0.1:4000".parse().unwrap()));
    }
}
