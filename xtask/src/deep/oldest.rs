//! The oldest compiler that the crates claim, by one that is older still.
//!
//! No package has Rust 1.88. Debian keeps 1.85, which has let chains behind a feature gate; 1.88
//! made them stable, and that is why the crates ask for it. What 1.85 compiles with that gate open,
//! 1.88 compiles. What the standard library has since, clippy reports in CI by `rust-version`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

use super::tool;
use crate::command::Run;
use crate::platform::install;
use crate::section::Ending;
use crate::workspace::Workspace;

/// Debian's packages, and the version of them that Debian keeps beside newer ones.
const PACKAGES: &[&str] = &["rustc-web", "libstd-rust-web-dev", "libstd-rust-web-1.85"];
const VERSION: &str = "1.85.0";
/// The feature that the claimed version made stable, and that version.
const CLAIMED: (&str, &str) = ("let_chains", "1.88");

pub(crate) fn run(workspace: &Workspace) -> Result<Ending> {
    let manifest = fs::read_to_string(workspace.root.join("Cargo.toml"))?;
    let (feature, claimed) = CLAIMED;
    ensure!(
        manifest.contains(&format!("rust-version = \"{claimed}\"")),
        "the workspace claims another version than {claimed}"
    );
    let rustc = match compiler(workspace) {
        Ok(rustc) => rustc,
        Err(refusal) => return Ok(Ending::Skipped(format!("{refusal:#}"))),
    };
    let packages = workspace.light().flat_map(|package| ["-p", package.name.as_str()]);
    tool::cargo(workspace)
        // Its own version is below the one that the manifests ask for.
        .arguments(["check", "--locked", "--ignore-rust-version", "--lib", "--all-features"])
        // With a target named, build scripts and procedural macros are built without the flag.
        .arguments(["--target", &workspace.host()?])
        .arguments(packages)
        .hidden("RUSTC", &rustc)
        .environment("RUSTC_BOOTSTRAP", "1")
        .environment("RUSTFLAGS", format!("-Zcrate-attr=feature({feature})"))
        .hidden("CARGO_TARGET_DIR", workspace.target.join("oldest"))
        .limit(super::LIMIT)
        .run()?;
    Ok(Ending::Passed)
}

/// Unpacks the compiler below `target/`; a package that is installed is not replaced.
fn compiler(workspace: &Workspace) -> Result<PathBuf> {
    let folder = workspace.target.join("tools").join(format!("rustc-{VERSION}"));
    let rustc = folder.join("rustc");
    if rustc.exists() {
        return Ok(rustc);
    }
    install(workspace, &[("/usr/lib/x86_64-linux-gnu/libLLVM.so.19.1", "libllvm19")])?;
    fs::create_dir_all(&folder)?;
    let (known, _) =
        Run::program(workspace, "apt-cache").arguments(["madison", PACKAGES[0]]).read()?;
    let version = known.split('|').map(str::trim).find(|field| field.starts_with(VERSION));
    let version = version.with_context(|| format!("Debian has no rustc-web {VERSION} here"))?;
    Run::program(workspace, "apt-get")
        .arguments(["download", "-qq"])
        .arguments(PACKAGES.iter().map(|package| format!("{package}={version}")))
        .folder(&folder)
        .run()?;
    for entry in fs::read_dir(&folder)? {
        let package = entry?.path();
        if package.extension().is_some_and(|it| it == "deb") {
            let [package, folder] = [&package, &folder].map(|path| path.to_string_lossy());
            Run::program(workspace, "dpkg-deb").arguments(["-x", &package, &folder]).run()?;
            fs::remove_file(Path::new(&*package))?;
        }
    }
    let root = folder.join("usr");
    let script = format!(
        "#!/bin/sh\nLD_LIBRARY_PATH='{0}/lib/x86_64-linux-gnu' exec '{0}/bin/rustc' \"$@\"\n",
        root.display()
    );
    fs::write(&rustc, script)?;
    fs::set_permissions(&rustc, fs::Permissions::from_mode(0o755))?;
    Ok(rustc)
}
