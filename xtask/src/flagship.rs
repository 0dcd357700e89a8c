//! The flagship service as a child: on its embedded defaults, in a folder of its own.

use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::command::Run;
use crate::running::Running;
use crate::workspace::Workspace;

/// Its package. Like `task-kafka` it needs a C++ compiler and minutes of librdkafka, so most sections of CI leave both
/// out. librdkafka is built once for all of CI, and once more with TLS.
pub(crate) const FLAGSHIP: &str = "pipeline";
/// How long it may take to come up: joining a consumer group takes some seconds by itself.
pub(crate) const START: Duration = Duration::from_secs(60);
/// How long its end may take. Its own budget for the whole shutdown is 25 s, the drain included.
pub(crate) const STOP: Duration = Duration::from_secs(30);

/// What builds it.
pub(crate) fn build(workspace: &Workspace) -> Run {
    Run::cargo(workspace).arguments(["build", "--quiet", "--locked", "-p", FLAGSHIP])
}

/// Starts what was built, with some flags and a free port, in an empty folder below `target/`.
pub(crate) fn start(workspace: &Workspace, folder: &str, flags: &[&str]) -> Result<Running> {
    let folder = workspace.target.join(folder);
    // Its database is created there; one from an earlier run would hide that it can be.
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

/// Where its metrics and probes are, once its log says so.
pub(crate) fn address(output: &str) -> Result<Option<SocketAddr>> {
    let Some((_, rest)) = output.split_once("http://") else { return Ok(None) };
    let address = rest.split_whitespace().next().unwrap_or_default();
    Ok(Some(address.parse().with_context(|| format!("`{address}` is no address"))?))
}

#[cfg(test)]
mod tests {
    use super::address;

    #[test]
    fn the_address_is_what_follows_the_scheme() {
        assert_eq!(address("starting\n").unwrap(), None);
        let log = "INFO metrics and probes at http://127.0.0.1:4000\nINFO more\n";
        assert_eq!(address(log).unwrap(), Some("127.0.0.1:4000".parse().unwrap()));
    }
}
