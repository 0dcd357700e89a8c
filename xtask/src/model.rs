//! Model checkers: under a `cfg` of this workspace, loom and shuttle replace the synchronisation
//! primitives, and turmoil the network.

use anyhow::{Result, bail};

use crate::command::{Run, run_each};
use crate::workspace::{Package, Workspace};

/// A model checker, and the environment variable that sets how much it explores.
pub(crate) struct Checker {
    /// The name of its test targets.
    name: &'static str,
    cfg: &'static str,
    variable: &'static str,
    deep: &'static str,
}

/// Every interleaving of a few threads. Without the variable, the tests allow three preemptions.
pub(crate) const LOOM: Checker =
    Checker { name: "loom", cfg: "task_loom", variable: "LOOM_MAX_PREEMPTIONS", deep: "5" };

/// Random schedules of the whole manager, and of a restarting task. Without the variable, 2,000 of
/// each kind.
pub(crate) const SHUTTLE: Checker =
    Checker { name: "shuttle", cfg: "task_shuttle", variable: "SHUTTLE_SCHEDULES", deep: "50000" };

/// Networks in virtual time, partitioned at random. Without the variable, 20 of them.
pub(crate) const TURMOIL: Checker =
    Checker { name: "turmoil", cfg: "task_turmoil", variable: "TURMOIL_RUNS", deep: "500" };

impl Checker {
    /// Whether a package has a test target for this checker.
    pub(crate) fn checks(&self, package: &Package) -> bool {
        package.targets.iter().any(|target| target.kind == "test" && target.name == self.name)
    }

    /// Runs what every change has to pass, which takes seconds.
    pub(crate) fn bounded(&self, workspace: &Workspace) -> Result<()> {
        run_each(self.runs(workspace)?)
    }

    /// Explores more, which takes minutes. A value of the variable in the environment takes
    /// precedence.
    pub(crate) fn deep(&self, workspace: &Workspace) -> Result<()> {
        let depth = std::env::var(self.variable).unwrap_or_else(|_| self.deep.to_owned());
        run_each(
            self.runs(workspace)?.into_iter().map(|run| run.environment(self.variable, &depth)),
        )
    }

    /// Returns a run of every test target of that name with that `cfg`. The builds have a separate
    /// directory: with other flags in the same directory, each build would discard the other.
    fn runs(&self, workspace: &Workspace) -> Result<Vec<Run>> {
        let folder = workspace.target.join(self.name);
        let run = |package: &Package| {
            Run::cargo(workspace)
                .arguments(["test", "--locked", "--release", "-p", &package.name])
                .arguments(["--test", self.name])
                .environment("RUSTFLAGS", format!("--cfg {}", self.cfg))
                .environment("CARGO_TARGET_DIR", &folder)
                .limit(crate::deep::LIMIT)
                .tests()
        };
        let runs: Vec<Run> =
            workspace.packages.iter().filter(|package| self.checks(package)).map(run).collect();
        if runs.is_empty() {
            bail!("no package has a test target named {}", self.name);
        }
        Ok(runs)
    }
}
