//! The oldest compiler that the crates claim, by one that is older still.
//!
//! No package has Rust 1.88. Debian keeps 1.85, in which what the crates use of later versions
//! exists behind feature gates. What 1.85 compiles with these gates open, 1.88 compiles. A gate
//! that has to be added here names the version that made it stable.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

use super::tool;
use crate::command::Run;
use crate::platform::{install, write_script};
use crate::section::Ending;
use crate::workspace::{Package, Workspace};

/// Debian's packages, and the version of them that Debian keeps beside newer ones.
const PACKAGES: &[&str] = &["rustc-web", "libstd-rust-web-dev", "libstd-rust-web-1.85"];
const VERSION: &str = "1.85.0";
/// The version that the workspace claims.
const CLAIMED: &str = "1.88";
/// What the crates use that is newer than Debian's compiler, and the version that made it stable.
const GATES: &[(&str, &str)] = &[("let_chains", "1.88"), ("extract_if", "1.87")];

pub(crate) fn run(workspace: &Workspace) -> Result<Ending> {
    let manifest = fs::read_to_string(workspace.root.join("Cargo.toml"))?;
    ensure!(
        manifest.contains(&format!("rust-version = \"{CLAIMED}\"")),
        "the workspace claims another version than {CLAIMED}"
    );
    let gates: Vec<&str> = GATES.iter().map(|(gate, _)| *gate).collect();
    for (gate, since) in GATES {
        println!("{gate}: stable since {since}");
    }
    let rustc = match compiler(workspace) {
        Ok(rustc) => rustc,
        Err(refusal) => return Ok(Ending::Skipped(format!("{refusal:#}"))),
    };
    // The gates are for the members alone: dependencies open those that they need themselves.
    let wrapper = workspace.target.join("tools/rustc-with-gates");
    let gates = gates.join(",");
    write_script(&wrapper, &format!("exec \"$@\" '-Zcrate-attr=feature({gates})'"))?;
    let packages = workspace.without_kafka().flat_map(|package| ["-p", package.name.as_str()]);
    let features: Vec<String> = workspace.without_kafka().flat_map(features).collect();
    tool::cargo(workspace)
        // Its own version is below the one that the manifests ask for.
        .arguments(["check", "--locked", "--ignore-rust-version", "--lib", "--features"])
        .arguments([features.join(",")])
        .arguments(packages)
        .hidden("RUSTC", &rustc)
        .hidden("RUSTC_WORKSPACE_WRAPPER", &wrapper)
        .environment("RUSTC_BOOTSTRAP", "1")
        .hidden("CARGO_TARGET_DIR", workspace.target.join("oldest"))
        .limit(super::LIMIT)
        .run()?;
    Ok(Ending::Passed)
}

/// Returns all features of a package but those that need a newer Rust, as `PACKAGE/FEATURE`.
fn features(package: &Package) -> impl Iterator<Item = String> {
    let wanted = package.features.keys().filter(|name| !package.newer_rust.contains(name));
    wanted.map(|name| format!("{}/{name}", package.name))
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
        "LD_LIBRARY_PATH='{0}/lib/x86_64-linux-gnu' exec '{0}/bin/rustc' \"$@\"",
        root.display()
    );
    write_script(&rustc, &script)?;
    Ok(rustc)
}
