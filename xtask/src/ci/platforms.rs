//! The quick form of `cargo xtask deep platforms`: a call that only Linux has is found before it
//! lands.

use anyhow::{Result, bail};

use crate::platform::{Scope, TARGETS, Toolchain, check, is_quick};
use crate::section::Ending;
use crate::workspace::{Package, Workspace};

/// macOS and Windows.
const TARGET_COUNT: usize = 2;

pub(super) fn run(workspace: &Workspace) -> Result<Ending> {
    let toolchain = Toolchain::with_source(workspace)?;
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

pub(super) fn is_checked(package: &Package) -> bool {
    is_quick(package)
}
