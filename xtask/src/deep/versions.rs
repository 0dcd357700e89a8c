//! Builds and tests the published crates with every direct dependency at the lowest version that
//! its manifest allows. A bound that is too low breaks the build of a user whose lock file is old.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use super::tool;
use crate::command::{Run, run_each};
use crate::section::Ending;
use crate::workspace::Workspace;

/// The key of the root manifest that lists the members.
const MEMBERS: &str = "members = [";
/// What the published crates are in.
const CRATES: &str = "crates";

pub(crate) fn run(workspace: &Workspace) -> Result<Ending> {
    let folder = workspace.target.join("versions");
    copy(workspace, &folder)?;
    let cargo = |arguments: &[&str]| -> Run {
        tool::cargo(workspace)
            .arguments(arguments)
            // What chooses the versions is an unstable option of Cargo.
            .environment("RUSTC_BOOTSTRAP", "1")
            .hidden("CARGO_TARGET_DIR", folder.join("target"))
            .hidden("CARGO_PROFILE_DEV_DEBUG", "false")
            .folder(&folder)
            .limit(super::LIMIT)
    };
    cargo(&["generate-lockfile", "-Zdirect-minimal-versions"]).run()?;
    let packages = || workspace.without_kafka().flat_map(|package| ["-p", package.name.as_str()]);
    let compile_c = workspace.published().filter(|package| package.compiles_c);
    let compile_c = compile_c.flat_map(|package| ["-p", package.name.as_str()]);
    // The library alone first: dev-dependencies turn on features that it may lack.
    let libraries = cargo(&["check", "--locked", "--lib", "--all-features"]).arguments(packages());
    let tests = cargo(&["test", "--locked", "--all-features", "--no-fail-fast"])
        .arguments(["--lib", "--test", "it"])
        .arguments(packages());
    let with_c = cargo(&["check", "--locked", "--lib"]).arguments(compile_c);
    run_each([libraries, tests, with_c])?;
    Ok(Ending::Passed)
}

/// Copies the published crates to a workspace of their own, since the lock file of this one stays
/// as it is, and other members have bounds that concern no user.
fn copy(workspace: &Workspace, folder: &Path) -> Result<()> {
    let crates = folder.join(CRATES);
    if crates.exists() {
        fs::remove_dir_all(&crates)?;
    }
    fs::create_dir_all(folder)?;
    copy_folder(&workspace.root.join(CRATES), &crates)?;
    // A test reads it.
    fs::copy(workspace.root.join("README.md"), folder.join("README.md"))?;
    let manifest = fs::read_to_string(workspace.root.join("Cargo.toml"))?;
    let manifest = alone(&manifest);
    ensure!(manifest.contains(MEMBERS), "the manifest of the workspace lists no members");
    fs::write(folder.join("Cargo.toml"), manifest).context("cannot write the manifest")
}

/// Returns the root manifest with the published crates as its only members.
fn alone(manifest: &str) -> String {
    let mut lines = Vec::new();
    let mut is_default = false;
    for line in manifest.lines() {
        is_default |= line.starts_with("default-members");
        if line.starts_with(MEMBERS) {
            lines.push(format!("{MEMBERS}\"{CRATES}/*\"]"));
        } else if !is_default {
            lines.push(line.to_owned());
        }
        is_default &= !line.ends_with(']');
    }
    lines.join("\n") + "\n"
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &to)?;
        } else {
            fs::copy(entry.path(), &to)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::alone;

    #[test]
    fn only_the_published_crates_are_members_and_the_rest_of_the_manifest_stays() {
        let manifest = "[workspace]\nmembers = [\"benches\", \"crates/*\"]\ndefault-members = [\n    \"crates/a\",\n]\n\n[workspace.package]\nkeywords = [\"a\"]\n";
        let expected =
            "[workspace]\nmembers = [\"crates/*\"]\n\n[workspace.package]\nkeywords = [\"a\"]\n";
        assert_eq!(alone(manifest), expected);
        let on_one_line = "[workspace]\nmembers = [\"crates/*\"]\ndefault-members = [\"a\"]\n[x]\n";
        assert_eq!(alone(on_one_line), "[workspace]\nmembers = [\"crates/*\"]\n[x]\n");
    }
}
