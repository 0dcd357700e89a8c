//! The quick form of `cargo xtask deep platforms`, which finds a call that only Linux has.

use anyhow::{Result, bail};

use crate::platform::{Scope, TARGETS, Toolchain, check};
use crate::section::Ending;
use crate::workspace::Workspace;

/// macOS and Windows.
const TARGET_COUNT: usize = 2;

pub(super) fn run(workspace: &Workspace) -> Result<Ending> {
    let toolchain = match Toolchain::with_source(workspace) {
        Ok(toolchain) => toolchain,
        Err(refusal) => return Ok(Ending::Skipped(format!("{refusal:#}"))),
    };
    let mut wrong = Vec::new();
    for target in &TARGETS[..TARGET_COUNT] {
        for (package, text) in check(workspace, &toolchain, target, Scope::Quick)? {
            if !text.is_empty() {
                println!("{text}");
                wrong.push(format!("{package} on {}", target.triple));
            }
        }
    }
    if !wrong.is_empty() {
        bail!("not without errors or warnings: {}", wrong.join(", "));
    }
    Ok(Ending::Passed)
}
