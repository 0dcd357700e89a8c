//! Coverage, to find code that no test reaches. No percentage is required.

use anyhow::Result;

use super::tool;
use crate::command::Run;
use crate::section::Ending;
use crate::workspace::Workspace;

pub(crate) fn run(workspace: &Workspace) -> Result<Ending> {
    tool::install(workspace, "cargo-llvm-cov", "0.9.1")?;
    let packages = workspace.light().flat_map(|package| ["-p", package.name.as_str()]);
    let cargo = || with_llvm(workspace, tool::cargo(workspace));
    // Binaries of an earlier run would count as code that was not run.
    cargo().arguments(["llvm-cov", "clean", "--workspace"]).run()?;
    cargo()
        // Processes that tests kill leave incomplete profiles behind.
        .arguments(["llvm-cov", "--locked", "--all-features", "--html", "--failure-mode=all"])
        .arguments(packages)
        .limit(super::LIMIT)
        .run()?;
    cargo().arguments(["llvm-cov", "report", "--failure-mode=all"]).run()?;
    Ok(Ending::Passed)
}

/// Selects Debian's LLVM tools if those of the compiler's LLVM version are installed; profiles of
/// another version cannot be read. Otherwise cargo-llvm-cov looks for rustup's.
fn with_llvm(workspace: &Workspace, cargo: Run) -> Run {
    let output = Run::program(workspace, "rustc").arguments(["-vV"]).read();
    let (version, _) = output.unwrap_or_default();
    let version = version.lines().find_map(|line| line.strip_prefix("LLVM version: "));
    let Some(major) = version.and_then(|version| version.split('.').next()) else { return cargo };
    let tools = ["cov", "profdata"].map(|tool| format!("llvm-{tool}-{major}"));
    let is_installed =
        |tool: &String| Run::program(workspace, tool).arguments(["--version"]).read().is_ok();
    if !tools.iter().all(is_installed) {
        return cargo;
    }
    let [cov, profdata] = tools;
    cargo.environment("LLVM_COV", cov).environment("LLVM_PROFDATA", profdata)
}
