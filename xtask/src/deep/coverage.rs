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
    cargo()
        .arguments(["llvm-cov", "--locked", "--all-features", "--html"])
        .arguments(packages)
        .limit(super::LIMIT)
        .run()?;
    cargo().arguments(["llvm-cov", "report"]).run()?;
    Ok(Ending::Passed)
}

/// Points cargo-llvm-cov at Debian's tools if they are there; else it looks for rustup's own.
fn with_llvm(workspace: &Workspace, cargo: Run) -> Run {
    let debian = ["llvm-cov-19", "llvm-profdata-19"];
    let there = |tool: &&str| Run::program(workspace, tool).arguments(["--version"]).read().is_ok();
    if !debian.iter().all(there) {
        return cargo;
    }
    cargo.environment("LLVM_COV", debian[0]).environment("LLVM_PROFDATA", debian[1])
}
