//! A real Kubernetes node in namespaces, on which both flagships are played. The scenarios are a
//! separate program; this module builds it and the node's one program, which Go's modules have, and
//! runs it with the arguments as they are.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

use crate::command::Run;
use crate::flagship::FLAGSHIP;
use crate::platform::install;
use crate::section::Ending;
use crate::workspace::Workspace;

pub(crate) const NAME: &str = "kubernetes";
pub(crate) const PACKAGE: &str = "kubernetes-trials";
pub(crate) const USAGE: (&str, &str) = (
    "kubernetes up | down | list | test [OPTION...] [SCENARIO...]",
    "a Kubernetes node in namespaces, and both flagships on it; as root, on Debian",
);

/// The other flagship.
const SHOP: &str = "shop";
/// The time of all scenarios: twenty rollouts are most of it.
const LIMIT: Duration = Duration::from_secs(60 * 60);
/// The time to fetch and to compile the node's program: ten minutes on two cores.
const BUILD: Duration = Duration::from_secs(2 * 60 * 60);
/// The Go module of the node's program, below the root.
const MODULE: &str = "xtask/kubernetes/node";
/// The oldest Go that compiles it.
const GO: (u32, u32) = (1, 25);
/// The programs that the node takes, with their packages.
const NEEDS: &[(&str, &str)] = &[
    ("/usr/bin/containerd", "containerd"),
    ("/usr/sbin/runc", "runc"),
    ("/usr/lib/cni/bridge", "containernetworking-plugins"),
    ("/usr/sbin/iptables", "iptables"),
    ("/usr/sbin/nft", "nftables"),
    ("/usr/sbin/conntrack", "conntrack"),
    ("/usr/sbin/ip", "iproute2"),
    ("/usr/bin/openssl", "openssl"),
    ("/usr/bin/strip", "binutils"),
    ("/usr/bin/setpriv", "util-linux"),
    ("/usr/bin/find", "findutils"),
];

pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["up" | "test", ..] => prepare(workspace)?,
        _ => build(workspace, &[PACKAGE])?,
    }
    trials(workspace)?.arguments(arguments).run()
}

/// All scenarios, as a lane of `deep`.
///
/// # Errors
///
/// A promise is broken, or something for it is missing: nothing is skipped.
pub(crate) fn deep(workspace: &Workspace) -> Result<Ending> {
    prepare(workspace)?;
    trials(workspace)?.arguments(["test"]).run()?;
    Ok(Ending::Passed)
}

/// Has all that a node takes: what Debian has, its own program, and the flagships.
fn prepare(workspace: &Workspace) -> Result<()> {
    possible(workspace)?;
    install(workspace, NEEDS)?;
    build(workspace, &[PACKAGE, FLAGSHIP, SHOP])?;
    program(workspace)
}

/// Builds all in one command, so that Cargo unifies the features of their shared dependencies.
fn build(workspace: &Workspace, packages: &[&str]) -> Result<()> {
    let packages = packages.iter().flat_map(|package| ["-p", package]);
    Run::cargo(workspace).arguments(["build", "--quiet", "--locked"]).arguments(packages).run()
}

/// Whether this machine can have a node.
///
/// # Errors
///
/// It cannot; the error says what is missing.
fn possible(workspace: &Workspace) -> Result<()> {
    let (user, _) = Run::program(workspace, "id").arguments(["-u"]).read()?;
    ensure!(user.trim() == "0", "a node takes root");
    let spaces = ["--net", "--mount", "--pid", "--fork", "--mount-proc"];
    let make = Run::program(workspace, "unshare").arguments(spaces);
    let bridge = "ip link set lo up && ip link add node0 type bridge";
    make.arguments(["sh", "-c", bridge])
        .read()
        .context("namespaces with a bridge cannot be made")?;
    let printed = Run::program(workspace, "go").arguments(["env", "GOVERSION"]).read();
    let (printed, _) = printed.with_context(|| format!("Go {}.{} is needed", GO.0, GO.1))?;
    let version =
        version(printed.trim()).with_context(|| format!("no version of Go: {printed}"))?;
    ensure!(version >= GO, "Go {}.{} is needed; here it is {printed}", GO.0, GO.1);
    Ok(())
}

/// The version in a text such as `go1.26.8`.
fn version(printed: &str) -> Option<(u32, u32)> {
    let mut parts = printed.strip_prefix("go")?.split('.');
    let major = parts.next()?.parse().ok()?;
    let minor: String = parts.next()?.chars().take_while(char::is_ascii_digit).collect();
    Some((major, minor.parse().ok()?))
}

/// Builds the programs of the node below `target/`, once for each content of its module.
fn program(workspace: &Workspace) -> Result<()> {
    let (base, module) = (base(workspace), workspace.root.join(MODULE));
    let mut wanted = String::new();
    for file in ["go.mod", "go.sum", "main.go", "pause/main.go"] {
        wanted.push_str(&fs::read_to_string(module.join(file))?);
    }
    let stamp = base.join("built");
    if fs::read_to_string(&stamp).is_ok_and(|built| built == wanted) {
        return Ok(());
    }
    fs::create_dir_all(&base)?;
    println!("the node's program is built, once: ten minutes");
    for (package, name) in [(".", "node"), ("./pause", "pause")] {
        let file = base.join(name);
        let output = file.to_str().context("the path is not UTF-8")?;
        Run::program(workspace, "go")
            .arguments(["build", "-trimpath", "-ldflags", "-s -w", "-o", output, package])
            .folder(&module)
            .limit(BUILD)
            .run()?;
    }
    // Last: a build that was interrupted is made again.
    fs::write(stamp, wanted)?;
    Ok(())
}

fn base(workspace: &Workspace) -> PathBuf {
    workspace.target.join(NAME)
}

fn trials(workspace: &Workspace) -> Result<Run> {
    let base = base(workspace);
    let Some(base) = base.to_str() else { bail!("the path is not UTF-8: {}", base.display()) };
    let program: &Path = &workspace.target.join("debug").join(PACKAGE);
    Ok(Run::program(workspace, program).arguments([base]).limit(LIMIT))
}

#[cfg(test)]
mod tests {
    use super::version;

    #[test]
    fn a_version_of_go_is_read_with_and_without_its_last_part() {
        assert_eq!(version("go1.26.8"), Some((1, 26)));
        assert_eq!(version("go1.27rc1"), Some((1, 27)));
        assert_eq!(version("devel"), None);
    }
}
