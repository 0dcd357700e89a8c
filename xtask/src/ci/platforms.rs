//! The quick form of `cargo xtask deep platforms`, which finds a call that only Linux has.

use anyhow::{Result, bail};

use crate::platform::{Scope, TARGETS, Toolchain, check};
use crate::section::Ending;
use crate::workspace::Workspace;

/// macOS and Windows.
const TARGET_COUNT: usize = 2;

pub(super) fn run(workspace: &Workspace) -> Result<Ending> {
    let Some(toolchain) = Toolchain::installed(workspace)? else {
        let why = "no source of the standard library: rustup has none, and Debian's cargo-web, \
                   rustc-web and rust-web-src are not installed";
        return Ok(Ending::Skipped(why.to_owned()));
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
