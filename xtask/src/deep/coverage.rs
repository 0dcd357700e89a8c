//! Coverage, as a way to find what no test reaches: not a number to be held.

use anyhow::Result;

use super::tool;
use crate::command::Run;
use crate::section::Ending;
use crate::workspace::Workspace;

pub(crate) fn run(workspace: &Workspace) -> Result<Ending> {
    tool::install(workspace, "cargo-llvm-cov", "0.9.1")?;
    let packages = workspace.light().flat_map(|package| ["-p", package.name.as_str()]);
    let cargo = || with_llvm(workspace, tool::cargo(workspace));
    // Binaries of an earlier run would be counted as not run.
    cargo().arguments(["llvm-cov", "clean", "--workspace"]).run()?;
    cargo()
        // Processes that tests kill leave profiles behind that are torn.
        .arguments(["llvm-cov", "--locked", "--all-features", "--html", "--failure-mode=all"])
        .arguments(packages)
        .limit(super::LIMIT)
        .run()?;
    cargo().arguments(["llvm-cov", "report", "--failure-mode=all"]).run()?;
    Ok(Ending::Passed)
}

/// Points cargo-llvm-cov at Debian's tools if those of the compiler's own LLVM are there, since profiles of another one
/// cannot be read; else it looks for rustup's.
fn with_llvm(workspace: &Workspace, cargo: Run) -> Run {
    let told = Run::program(workspace, "rustc").arguments(["-vV"]).read();
    let (version, _) = told.unwrap_or_default();
    let version = version.lines().find_map(|line| line.strip_prefix("LLVM version: "));
    let Some(major) = version.and_then(|version| version.split('.').next()) else { return cargo };
    let tools = ["cov", "profdata"].map(|tool| format!("llvm-{tool}-{major}"));
    let there =
        |tool: &String| Run::program(workspace, tool).arguments(["--version"]).read().is_ok();
    if !tools.iter().all(there) {
        return cargo;
    }
    let [cov, profdata] = tools;
    cargo.environment("LLVM_COV", cov).environment("LLVM_PROFDATA", profdata)
}
