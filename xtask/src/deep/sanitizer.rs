//! AddressSanitizer on the stable compiler.

use anyhow::Result;

use super::{LEAKS_BY_ITSELF, tool};
use crate::section::Ending;
use crate::workspace::Workspace;

pub(crate) fn run(workspace: &Workspace) -> Result<Ending> {
    let packages = workspace.light().flat_map(|package| ["-p", package.name.as_str()]);
    tool::cargo(workspace)
        .arguments(["test", "--locked", "--all-features", "--tests", "--no-fail-fast"])
        // With a target named, build scripts and procedural macros are built without the flags.
        .arguments(["--target", &workspace.host()?])
        .arguments(packages)
        .arguments(["--", "--skip", LEAKS_BY_ITSELF])
        .environment("RUSTC_BOOTSTRAP", "1")
        .environment("RUSTFLAGS", "-Zsanitizer=address")
        .environment("CARGO_TARGET_DIR", workspace.target.join("address"))
        .limit(super::LIMIT)
        .run()?;
    Ok(Ending::Passed)
}
