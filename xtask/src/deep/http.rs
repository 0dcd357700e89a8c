//! A service that is observed from outside while it runs and shuts down: by a browser, by a real
//! Prometheus, by slow clients and by many.

pub(super) mod browser;
pub(super) mod fuzz;
pub(super) mod load;
pub(super) mod prometheus;

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::command::Run;
use crate::http;
use crate::running::Running;
use crate::workspace::Workspace;

/// An example of `task-http`, whose shutdown takes some seconds.
const EXAMPLE: &str = "slow_shutdown";
/// The time that something immediate may take on a busy machine.
const SOON: Duration = Duration::from_secs(20);

/// The running example.
struct Service {
    running: Running,
    address: SocketAddr,
}

impl Service {
    /// Builds it for release, starts it and waits until it is ready.
    fn start(workspace: &Workspace) -> Result<Self> {
        let package = ["-p", "task-http", "--example", EXAMPLE];
        Run::cargo(workspace)
            .arguments(["build", "--quiet", "--locked", "--release"])
            .arguments(package)
            .run()?;
        let program = workspace.target.join("release/examples").join(EXAMPLE);
        let mut running = Running::start(Run::program(workspace, program).into_command())?;
        let address = running.until("it printed its address", SOON, |output| {
            let line = output.lines().find_map(|line| line.strip_prefix("listening on http://"));
            line.and_then(|line| line.split('/').next())
                .map(str::parse)
                .transpose()
                .map_err(Into::into)
        })?;
        let mut service = Self { running, address };
        service.until("it is ready", |_, address| Ok(http::get(address, "/readyz")?.0 == 200))?;
        Ok(service)
    }

    /// Polls until `is_so` returns true.
    fn until(
        &mut self,
        what: &str,
        mut is_so: impl FnMut(&str, SocketAddr) -> Result<bool>,
    ) -> Result<()> {
        let address = self.address;
        self.running.until(what, SOON, |output| Ok(is_so(output, address)?.then_some(())))
    }

    fn tasks(address: SocketAddr) -> Result<Value> {
        let (status, body) = http::get(address, "/tasks?format=json")?;
        ensure!(status == 200, "/tasks: {status}");
        serde_json::from_str(&body).context("/tasks is not JSON")
    }

    /// Sends it SIGTERM.
    fn terminate(&mut self) -> Result<()> {
        self.running.signal("TERM")
    }

    /// Waits until it has ended. Its exit code is ignored: one of its tasks fails on purpose.
    fn ended(mut self) -> Result<()> {
        self.running.ended(SOON).map(drop)
    }
}

/// Returns whether a program is installed.
fn is_installed(workspace: &Workspace, program: &str) -> bool {
    Run::program(workspace, "sh").arguments(["-c", "command -v \"$0\"", program]).read().is_ok()
}
