//! A systemd in namespaces: booted, talked to, and ended with all that it has started.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};

const BOOT: &str = include_str!("boot.sh");
/// The time a boot may take.
const LIMIT: Duration = Duration::from_secs(60);
/// The time that a program may take in the system, in seconds.
const SLOWEST: &str = "100";
const TICK: Duration = Duration::from_millis(20);
/// Where the programs are in the booted system.
pub(crate) const PROGRAMS: &str = "/opt/trials";

/// A booted system. Dropping it ends it.
pub(crate) struct Machine {
    /// The process outside of the namespaces, and systemd inside of them.
    outer: Child,
    first: u32,
    janitor: Child,
    folder: PathBuf,
}

impl Machine {
    /// Boots the systemd that is installed below `root`, with the programs of a folder.
    ///
    /// # Errors
    ///
    /// If this machine lacks something for it; the message has what.
    pub(crate) fn boot(root: &Path, programs: &Path) -> Result<Self> {
        ensure!(root.join("lib/systemd/systemd").exists(), "no systemd below {}", root.display());
        let cgroup = cgroups()?.join(format!("trials-{}", std::process::id()));
        fs::create_dir(&cgroup).context("cannot make a cgroup; are you root?")?;
        let folder = std::env::temp_dir().join(format!("systemd-trials-{}", std::process::id()));
        // In a group of its own, so that an interruption from the terminal spares it: it ends
        // when this process has, and then removes the cgroups and the folder.
        let script = "read _; for _ in $(seq 600); do \
                      find \"$0\" -depth -type d -exec rmdir {} + 2>/dev/null; \
                      [ -d \"$0\" ] || break; sleep 0.1; done; rmdir \"$1\"";
        let mut janitor = Command::new("sh");
        janitor.args(["-c", script]).args([&cgroup, &folder]).stdin(Stdio::piped());
        std::os::unix::process::CommandExt::process_group(&mut janitor, 0);
        let janitor = janitor.spawn().context("cannot start sh")?;
        fs::create_dir(&folder)?;
        let mut outer = Command::new("sh")
            .args(["-c", BOOT, "sh"])
            .args([&cgroup, &folder])
            .args([root, programs])
            .stdin(Stdio::null())
            .spawn()?;
        let first = first_process(&mut outer)?;
        let machine = Self { outer, first, janitor, folder };
        machine.await_boot()?;
        Ok(machine)
    }

    fn await_boot(&self) -> Result<()> {
        let begun = Instant::now();
        loop {
            let output = self.run(&["systemctl", "is-system-running"])?;
            let state = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            if ["running", "degraded"].contains(&state.as_str()) {
                return Ok(());
            }
            if begun.elapsed() > LIMIT {
                bail!(
                    "systemd has not booted: {state} {}",
                    String::from_utf8_lossy(&output.stderr)
                );
            }
            sleep(TICK);
        }
    }

    /// Runs a program in the system, to its end. One that takes too long is ended, and has failed.
    pub(crate) fn run(&self, command: &[&str]) -> Result<Output> {
        let limited = [&["timeout", "--kill-after=5", SLOWEST], command].concat();
        Ok(self.command(&limited).output()?)
    }

    pub(crate) fn command(&self, command: &[&str]) -> Command {
        let mut nsenter = Command::new("nsenter");
        nsenter.args(["-t", &self.first.to_string(), "-a"]).args(command).stdin(Stdio::null());
        nsenter
    }

    /// A path of the system as one from here.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        Path::new("/proc")
            .join(self.first.to_string())
            .join("root")
            .join(path.trim_start_matches('/'))
    }

    /// The version of its systemd.
    pub(crate) fn version(&self) -> Result<u32> {
        let output = self.run(&["systemctl", "--version"])?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let version = text.split_whitespace().nth(1).and_then(|word| word.parse().ok());
        version.with_context(|| format!("no version in {text:?}"))
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // An end by the first process ends all others of its namespace.
        let _ = self.run(&["systemctl", "poweroff", "--force", "--force"]);
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(5) && matches!(self.outer.try_wait(), Ok(None))
        {
            sleep(TICK);
        }
        let _ = self.outer.kill();
        let _ = self.outer.wait();
        drop(self.janitor.stdin.take());
        let _ = self.janitor.wait();
        if self.folder.exists() {
            eprintln!("{} could not be removed", self.folder.display());
        }
    }
}

/// The tree of version 2 of the control groups.
fn cgroups() -> Result<PathBuf> {
    let found = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].map(PathBuf::from);
    let found = found.into_iter().find(|path| path.join("cgroup.controllers").exists());
    found.context("no tree of cgroups of version 2")
}

/// Waits for the one child of a process.
fn first_process(outer: &mut Child) -> Result<u32> {
    let (begun, id) = (Instant::now(), outer.id());
    let children = format!("/proc/{id}/task/{id}/children");
    loop {
        if let Some(status) = outer.try_wait()? {
            bail!("cannot make namespaces: {status}");
        }
        let text = fs::read_to_string(&children).unwrap_or_default();
        let is_unshare = fs::read_to_string(format!("/proc/{id}/comm"))
            .is_ok_and(|name| name.trim() == "unshare");
        if let Some(first) = text.split_whitespace().next().filter(|_| is_unshare) {
            return Ok(first.parse()?);
        }
        ensure!(begun.elapsed() < LIMIT, "no process in the namespaces");
        sleep(TICK);
    }
}
