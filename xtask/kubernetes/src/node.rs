//! A node in namespaces: started, talked to, and ended with all that it has started.

use std::{
    fs,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

const BOOT: &str = include_str!("boot.sh");
/// Its settings: a file each, in its folder.
const FILES: &[(&str, &str)] = &[
    ("containerd.toml", include_str!("containerd.toml")),
    ("cni/pods.conflist", include_str!("cni.json")),
    ("kubelet.yaml", include_str!("kubelet.yaml")),
    ("proxy.yaml", include_str!("proxy.yaml")),
    ("access.yaml", include_str!("access.yaml")),
    ("tokens.csv", "admin,admin,admin,\"system:masters\"\n"),
];
/// Ends what a run has left: its first process, and with it all others; its control groups; its
/// folder. $1: the folder, $2: the name of the control groups, $3: `kept` if the folder stays.
const CLEAN: &str = r#"
if [ -e "$1/outer" ]; then
  outer=$(cat "$1/outer")
  # Its id may be another's by now.
  if tr '\0' ' ' 2>/dev/null <"/proc/$outer/cmdline" | grep -qF " sh $1 "; then
    kill -KILL "$outer"
  fi
fi
for _ in $(seq 600); do
  left=
  for tree in /sys/fs/cgroup /sys/fs/cgroup/*; do
    [ -d "$tree/$2" ] || continue
    # Those that are alive beyond the end of the namespace are still on their way out.
    find "$tree/$2" -depth -type d -exec rmdir {} + 2>/dev/null || left=yes
  done
  [ -n "$left" ] || break
  sleep 0.1
done
rm -rf "$1"
[ -z "$left" ] || { echo "control groups named $2 are left" >&2; exit 1; }
"#;
/// The time that a start may take on a loaded machine.
const LIMIT: Duration = Duration::from_secs(300);
const TICK: Duration = Duration::from_millis(100);
/// The time that a program may take in the node, in seconds.
const SLOWEST: &str = "200";

/// How long a node lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    /// Until this process ends, in whatever way.
    Bound,
    /// Until [`clean`].
    Free,
}

/// A running node.
pub(crate) struct Node {
    folder: PathBuf,
    first: u32,
    /// Of a bound node: what cleans up when this process has ended.
    janitor: Option<Child>,
    outer: Option<Child>,
}

impl Node {
    /// Starts a node whose folder is below `base`, and ends one that is left there. Returns when it
    /// is ready for pods, with its proxy in the mode of that name.
    ///
    /// # Errors
    ///
    /// If this machine lacks something for it, or it is not ready in time.
    pub(crate) fn start(base: &Path, life: Life, proxy: &str) -> Result<Self> {
        let folder = base.join("run");
        clean(base)?;
        for (name, text) in FILES {
            let text = text.replace("CGROUP", &cgroup(base)).replace("MODE", proxy);
            let file = folder.join(name);
            fs::create_dir_all(file.parent().context("it is in a folder")?)?;
            fs::write(&file, text)?;
        }
        // The same program, without a copy of it.
        fs::hard_link(base.join("node"), folder.join("node")).context("no program of the node")?;
        let janitor = match life {
            Life::Bound => Some(janitor(base)?),
            Life::Free => None,
        };
        let word = if life == Life::Bound { "bound" } else { "free" };
        let log = fs::File::create(folder.join("boot.log"))?;
        // In a group of its own, which an interruption from the terminal spares: it ends by itself,
        // or not at all.
        let outer = Command::new("sh")
            .args(["-c", BOOT, "sh"])
            .args([&folder, Path::new(word), Path::new(&cgroup(base))])
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0)
            .spawn()?;
        fs::write(folder.join("outer"), outer.id().to_string())?;
        let mut node = Self { folder, first: 0, janitor, outer: Some(outer) };
        node.await_ready().inspect_err(|_| node.show_log())?;
        Ok(node)
    }

    fn await_ready(&mut self) -> Result<()> {
        let begun = Instant::now();
        let outer = self.outer.as_ref().context("it was started")?.id();
        let children = format!("/proc/{outer}/task/{outer}/children");
        while self.first == 0 {
            self.check_alive()?;
            let is_unshare = fs::read_to_string(format!("/proc/{outer}/comm"))
                .is_ok_and(|name| name.trim() == "unshare");
            let text = fs::read_to_string(&children).unwrap_or_default();
            if let Some(first) = text.split_whitespace().next().filter(|_| is_unshare) {
                self.first = first.parse()?;
                fs::write(self.folder.join("first"), first)?;
            }
            ensure!(begun.elapsed() < LIMIT, "no process in the namespaces");
            sleep(TICK);
        }
        loop {
            self.check_alive()?;
            let path = "{.items[0].status.conditions[?(@.type=='Ready')].status}";
            let output =
                self.attempt(&["get", "nodes", "-o", &format!("jsonpath={path}")], None)?;
            let accounts = self.attempt(&["get", "serviceaccount", "default"], None)?;
            if text(&output.stdout) == "True" && accounts.status.success() {
                return Ok(());
            }
            if begun.elapsed() > LIMIT {
                bail!("the node is not ready after {} s: {}", LIMIT.as_secs(), output_of(&output));
            }
            sleep(TICK);
        }
    }

    fn check_alive(&mut self) -> Result<()> {
        if let Some(status) = self.outer.as_mut().and_then(|outer| outer.try_wait().transpose()) {
            bail!("the node has ended: {}", status?);
        }
        Ok(())
    }

    fn show_log(&self) {
        let log = fs::read_to_string(self.folder.join("boot.log")).unwrap_or_default();
        eprint!("{log}");
        for entry in fs::read_dir(self.folder.join("log")).into_iter().flatten().flatten() {
            let log = fs::read_to_string(entry.path()).unwrap_or_default();
            let last: Vec<_> = log.lines().rev().take(3).collect();
            for line in last.iter().rev() {
                eprintln!("{}: {line}", entry.file_name().to_string_lossy());
            }
        }
    }

    /// Lets it run on.
    pub(crate) fn keep(mut self) {
        self.outer = None;
    }

    /// A command that runs in the node.
    pub(crate) fn command(&self, command: &[&str]) -> Command {
        let mut nsenter = Command::new("nsenter");
        nsenter.args(["-t", &self.first.to_string(), "--net", "--mount", "--pid"]);
        nsenter.args(command).stdin(Stdio::null());
        nsenter
    }

    /// Runs kubectl, which has to succeed, and returns what it prints.
    pub(crate) fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        self.kubectl_with(arguments, None)
    }

    /// Has kubectl apply a manifest.
    pub(crate) fn apply(&self, manifest: &str) -> Result<()> {
        self.kubectl_with(&["apply", "-f", "-"], Some(manifest)).map(drop)
    }

    /// Asks the API server whether it takes a manifest, which changes nothing.
    pub(crate) fn ask(&self, manifest: &str) -> Result<()> {
        self.kubectl_with(&["apply", "--dry-run=server", "-f", "-"], Some(manifest)).map(drop)
    }

    /// Returns an object, or a list of them, as kubectl prints it.
    pub(crate) fn get(&self, arguments: &[&str]) -> Result<Value> {
        let json = self.kubectl(&[&["get", "-o", "json"], arguments].concat())?;
        Ok(serde_json::from_str(&json)?)
    }

    fn kubectl_with(&self, arguments: &[&str], input: Option<&str>) -> Result<String> {
        let output = self.attempt(arguments, input)?;
        if !output.status.success() {
            bail!("kubectl {}: {}", arguments.join(" "), output_of(&output));
        }
        Ok(text(&output.stdout))
    }

    fn attempt(&self, arguments: &[&str], input: Option<&str>) -> Result<Output> {
        let program = "/run/node/node";
        let kubectl =
            ["timeout", SLOWEST, program, "kubectl", "--kubeconfig=/run/node/access.yaml"];
        let mut command = self.command(&[&kubectl, arguments].concat());
        let file = self.folder.join("input");
        if let Some(input) = input {
            fs::write(&file, input)?;
            command.stdin(fs::File::open(&file)?);
        }
        Ok(command.output()?)
    }

    /// Takes an image from an archive, by its path in the node.
    pub(crate) fn import(&self, archive: &str) -> Result<()> {
        let ctr = ["ctr", "--address=/run/node/containerd.sock", "-n", "k8s.io", "images"];
        let output = self.command(&[&ctr[..], &["import", archive]].concat()).output()?;
        ensure!(output.status.success(), "ctr images import: {}", output_of(&output));
        Ok(())
    }

    /// A folder of the node, which is `/run/node` in it.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns the id of its first process, whose namespaces are those of the node.
    pub(crate) fn first(&self) -> u32 {
        self.first
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let Some(mut outer) = self.outer.take() else { return };
        // With the first process of a namespace end all others.
        let _ = outer.kill();
        let _ = outer.wait();
        if let Some(mut janitor) = self.janitor.take() {
            drop(janitor.stdin.take());
            let _ = janitor.wait();
        }
    }
}

/// Ends the node below `base`, if there is one, and removes what it has left.
pub(crate) fn clean(base: &Path) -> Result<()> {
    let status = cleaner(base).status()?;
    ensure!(status.success(), "the node could not be cleaned up: {status}");
    Ok(())
}

/// The name of its control groups: another for each checkout.
fn cgroup(base: &Path) -> String {
    let sum = base.as_os_str().as_encoded_bytes().iter();
    let sum = sum.fold(5381_u32, |sum, byte| sum.wrapping_mul(33) ^ u32::from(*byte));
    format!("node-{sum:08x}")
}

fn cleaner(base: &Path) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", CLEAN, "sh"]).args([&base.join("run"), Path::new(&cgroup(base))]);
    command
}

/// Waits in a group of its own until this process has ended, in whatever way, and cleans up.
fn janitor(base: &Path) -> Result<Child> {
    let mut command = Command::new("sh");
    let script = format!("read -r _\n{CLEAN}");
    command.args(["-c", &script, "sh"]).args([&base.join("run"), Path::new(&cgroup(base))]);
    command.stdin(Stdio::piped()).process_group(0);
    command.spawn().context("cannot start sh")
}

fn output_of(output: &Output) -> String {
    format!("{}: {}{}", output.status, text(&output.stdout), text(&output.stderr))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
