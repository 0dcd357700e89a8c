//! A real Prometheus scrapes services from start to end, shutdown included, and its samples are
//! checked.

mod example;
mod flagship;
mod server;

use anyhow::Result;

use super::is_installed;
use crate::section::Ending;
use crate::workspace::Workspace;

pub(crate) fn run(workspace: &Workspace) -> Result<Ending> {
    if !is_installed(workspace, server::PROGRAM) {
        return Ok(Ending::Skipped("prometheus is not installed (Debian: prometheus)".to_owned()));
    }
    example::run(workspace)?;
    flagship::run(workspace)?;
    Ok(Ending::Passed)
}
