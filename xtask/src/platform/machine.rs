//! What a machine has to have for a lane, and how it gets there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, bail, ensure};

use crate::command::Run;
use crate::workspace::Workspace;

/// The time that the installation of packages may take.
const LIMIT: Duration = Duration::from_secs(30 * 60);
/// Zig, as its package in Python's registry. Its C compiler has the headers and the C libraries of
/// many systems with it.
const ZIG: &str = "ziglang==0.17.1";

/// A file, and the package of Debian that has it.
pub(crate) type Need = (&'static str, &'static str);

/// Installs the packages of the files that are missing, where this is Debian and the user is root.
/// Nothing that is installed is removed for it.
///
/// # Errors
///
/// Packages are missing and cannot be installed. The message names them in one line.
pub(crate) fn install(workspace: &Workspace, needs: &[Need]) -> Result<()> {
    let missing: Vec<&str> =
        needs.iter().filter(|(file, _)| !Path::new(file).exists()).map(|need| need.1).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let user = Run::program(workspace, "id").arguments(["-u"]).read();
    let is_root = user.is_ok_and(|(id, _)| id.trim() == "0");
    if !is_root || !Path::new("/usr/bin/apt-get").exists() {
        bail!("not installed, and this is not root on Debian: {}", missing.join(", "));
    }
    let apt = || {
        Run::program(workspace, "/usr/bin/apt-get")
            .hidden("DEBIAN_FRONTEND", "noninteractive")
            .limit(LIMIT)
    };
    apt().arguments(["update", "-qq"]).run()?;
    apt()
        .arguments(["install", "-qq", "--yes", "--no-install-recommends", "--no-remove"])
        .arguments(missing)
        .run()
}

/// Writes a shell script that can be run.
pub(crate) fn write_script(file: &Path, commands: &str) -> Result<()> {
    file.parent().map_or(Ok(()), fs::create_dir_all)?;
    fs::write(file, format!("#!/bin/sh\n{commands}\n"))?;
    // The standard library sets it on Unix alone, and this program is built on Windows, too.
    let status = Command::new("chmod").arg("755").arg(file).status()?;
    ensure!(status.success(), "chmod of {}: {status}", file.display());
    Ok(())
}

/// Installs Zig below `target/`, and returns the Python that has it as a module.
///
/// # Errors
///
/// There is no Python, or the package cannot be fetched.
pub(crate) fn zig(workspace: &Workspace) -> Result<PathBuf> {
    let folder = workspace.target.join("tools/python");
    let python = folder.join("bin/python");
    let has_zig = || {
        let version = Run::program(workspace, &python).arguments(["-m", "ziglang", "version"]);
        version.read().is_ok_and(|(version, _)| ZIG.ends_with(version.trim()))
    };
    if has_zig() {
        return Ok(python);
    }
    let shown = folder.to_string_lossy().into_owned();
    let create = |python: &str| {
        Run::program(workspace, python).arguments(["-m", "venv", "--clear", &shown]).run()
    };
    if create("python3").is_err() {
        install(workspace, &[("/usr/lib/python3/dist-packages/venv", "python3-venv")])?;
        create("/usr/bin/python3")?;
    }
    Run::program(workspace, &python)
        .arguments(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", ZIG])
        .limit(LIMIT)
        .run()?;
    if !has_zig() {
        bail!("{ZIG} was installed, and does not run");
    }
    Ok(python)
}
