//! A real systemd, booted in namespaces, against which everything is played that `task-systemd`
//! promises. The scenarios are a separate program; this module builds it, has the systems that it
//! boots, and runs it with the arguments as they are.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

use crate::command::{Run, run_each};
use crate::flagship;
use crate::platform::install;
use crate::section::Ending;
use crate::workspace::Workspace;

pub(crate) const NAME: &str = "systemd";
pub(crate) const PACKAGE: &str = "systemd-trials";
pub(crate) const USAGE: (&str, &str) = (
    "systemd [OPTION...] [SCENARIO...]",
    "a systemd in namespaces, and what task-systemd promises; `systemd --help`",
);

/// All scenarios take less than a minute on an idle machine.
const LIMIT: Duration = Duration::from_secs(15 * 60);
/// The time to fetch and to unpack a system.
const FETCH: Duration = Duration::from_secs(30 * 60);
/// The release with a systemd that knows `Type=notify-reload`.
const RELEASE: &str = "trixie";
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
/// The programs that the boot takes, with their packages.
const NEEDS: &[(&str, &str)] = &[
    ("/lib/systemd/systemd", "systemd"),
    ("/usr/bin/dbus-daemon", "dbus-daemon"),
    ("/lib/systemd/system/dbus.socket", "dbus-system-bus-common"),
    ("/usr/bin/setpriv", "util-linux"),
    ("/usr/bin/find", "findutils"),
];

pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    if plays_flagship(arguments) {
        build_all(workspace)?
    } else {
        build(workspace)?
    }
    trials(workspace).arguments(arguments).run()
}

/// Whether it is among the scenarios, which otherwise do not wait for librdkafka.
fn plays_flagship(arguments: &[String]) -> bool {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        [] | ["--root", _] => true,
        words => words.contains(&"flagship"),
    }
}

/// The short selection, as a section of CI, where a systemd is there and namespaces are allowed.
pub(crate) fn quick(workspace: &Workspace) -> Result<Ending> {
    let lint =
        ["clippy", "--quiet", "--locked", "-p", PACKAGE, "--all-targets", "--", "-D", "warnings"];
    run_each([Run::cargo(workspace).arguments(lint)])?;
    if let Err(error) = possible(workspace) {
        return Ok(Ending::Skipped(format!("no systemd can be booted here: {error:#}")));
    }
    build(workspace)?;
    trials(workspace).arguments(["--quick"]).run()?;
    Ok(Ending::Passed)
}

/// All scenarios on this machine's systemd, and on the one of a newer release.
///
/// # Errors
///
/// A promise is broken, or something for it is missing: nothing is skipped.
pub(crate) fn deep(workspace: &Workspace) -> Result<Ending> {
    install(workspace, NEEDS)?;
    possible(workspace)?;
    build_all(workspace)?;
    let newer = newer(workspace)?;
    let newer = newer.to_str().context("the path is not UTF-8")?;
    run_each([trials(workspace), trials(workspace).arguments(["--root", newer])])?;
    Ok(Ending::Passed)
}

fn build(workspace: &Workspace) -> Result<()> {
    Run::cargo(workspace).arguments(["build", "--quiet", "--locked", "-p", PACKAGE]).run()
}

/// The flagship is the unit of one scenario, which is not in the quick form.
fn build_all(workspace: &Workspace) -> Result<()> {
    build(workspace)?;
    flagship::build(workspace).run()
}

fn trials(workspace: &Workspace) -> Run {
    Run::program(workspace, workspace.target.join("debug").join(PACKAGE)).limit(LIMIT)
}

/// Whether this machine can boot one.
///
/// # Errors
///
/// It cannot; the error says what is missing.
fn possible(workspace: &Workspace) -> Result<()> {
    for (file, package) in NEEDS {
        ensure!(Path::new(file).exists(), "{file} is missing (Debian: {package})");
    }
    let has_cgroups = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"]
        .iter()
        .any(|folder| Path::new(folder).join("cgroup.controllers").exists());
    ensure!(has_cgroups, "there is no tree of cgroups of version 2");
    let (user, _) = Run::program(workspace, "id").arguments(["-u"]).read()?;
    ensure!(user.trim() == "0", "it takes root");
    let spaces = ["--cgroup", "--mount", "--pid", "--ipc", "--uts", "--net", "--fork", "true"];
    let made = Run::program(workspace, "unshare").arguments(spaces).read();
    made.map(drop).context("namespaces cannot be made")
}

/// A newer release of Debian below `target/`, fetched once: about 300 MB, and some minutes.
fn newer(workspace: &Workspace) -> Result<PathBuf> {
    let folder = workspace.target.join(NAME);
    let root = folder.join(RELEASE);
    if root.join("lib/systemd/systemd").exists() {
        return Ok(root);
    }
    fs::create_dir_all(&folder)?;
    // Its package alone: nothing is installed on this machine.
    Run::program(workspace, "/usr/bin/apt-get")
        .arguments(["download", "-qq", "debootstrap"])
        .folder(&folder)
        .run()?;
    // The mirror that this machine uses.
    let sites = ["indextargets", "--format", "$(SITE)"];
    let (sites, _) = Run::program(workspace, "/usr/bin/apt-get").arguments(sites).read()?;
    let mirror = sites.lines().find(|site| !site.contains("security"));
    let mirror = mirror.context("apt-get names no mirror")?.to_owned();
    let is_package = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "deb");
    let found = fs::read_dir(&folder)?.flatten().map(|entry| entry.path()).find(is_package);
    let Some(package) = found else { bail!("apt-get has left no package") };
    let tool = folder.join("debootstrap");
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let unpack = ["-x".to_owned(), text(&package), text(&tool)];
    Run::program(workspace, "dpkg").arguments(unpack).run()?;
    // Not at its place before it is complete.
    let partial = folder.join("partial");
    if partial.exists() {
        fs::remove_dir_all(&partial)?;
    }
    Run::program(workspace, tool.join("usr/sbin/debootstrap"))
        .environment("DEBOOTSTRAP_DIR", tool.join("usr/share/debootstrap"))
        .arguments(["--variant=minbase", "--include=systemd,dbus"])
        .arguments([format!("--keyring={KEYRING}"), RELEASE.to_owned(), text(&partial)])
        .arguments([mirror])
        .limit(FETCH)
        .run()?;
    fs::rename(&partial, &root)?;
    Ok(root)
}
