//! Runs programs to their end: each is printed before it starts, bounded in time, and killed with
//! its descendants when the time is over.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::failed::Copied;
use crate::workspace::Workspace;

/// The default limit: longer than any step takes on a slow machine.
const LIMIT: Duration = Duration::from_secs(15 * 60);
/// The interval at which a running child is polled.
const TICK: Duration = Duration::from_millis(20);

/// A program with its arguments, to be run at the workspace's root.
#[derive(Debug)]
pub(crate) struct Run {
    command: Command,
    shown: String,
    limit: Duration,
}

impl Run {
    pub(crate) fn program(workspace: &Workspace, program: impl AsRef<OsStr>) -> Self {
        let mut command = Command::new(&program);
        command.current_dir(&workspace.root).stdin(Stdio::null());
        Self { command, shown: program.as_ref().to_string_lossy().into_owned(), limit: LIMIT }
    }

    /// The Cargo that runs this very program.
    pub(crate) fn cargo(workspace: &Workspace) -> Self {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        Self { shown: "cargo".to_owned(), ..Self::program(workspace, cargo) }
    }

    pub(crate) fn arguments<I: AsRef<str>>(
        mut self,
        arguments: impl IntoIterator<Item = I>,
    ) -> Self {
        for argument in arguments {
            self.command.arg(argument.as_ref());
            self.shown = format!("{} {}", self.shown, argument.as_ref());
        }
        self
    }

    pub(crate) fn environment(mut self, key: &str, value: impl AsRef<OsStr>) -> Self {
        self.shown = format!("{key}={:?} {}", value.as_ref(), self.shown);
        self.command.env(key, value);
        self
    }

    /// As [`environment`](Self::environment), but not printed.
    pub(crate) fn hidden(mut self, key: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(key, value);
        self
    }

    /// Runs it in a folder other than the workspace's root.
    pub(crate) fn folder(mut self, folder: &Path) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// The time it may take. Default: 15 minutes.
    pub(crate) fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// It runs tests: the error names those that failed.
    pub(crate) fn tests(mut self) -> Self {
        self.command.stdout(Stdio::piped());
        self
    }

    /// Runs it; it inherits stdout and stderr.
    ///
    /// # Errors
    ///
    /// It could not be started, ended with another code than 0, or was ended at the limit.
    pub(crate) fn run(mut self) -> Result<()> {
        println!("$ {}", self.shown);
        let mut child =
            self.command.spawn().with_context(|| format!("cannot start `{}`", self.shown))?;
        let copied = child.stdout.take().map(Copied::new);
        let ended = wait(child, self.limit);
        let failed = copied.map_or_else(Vec::new, Copied::names);
        let failed = failed.iter().map(|name| format!("\n    {name}")).collect::<String>();
        match ended {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => bail!("`{}`: {status}{failed}", self.shown),
            Err(error) => Err(error.context(format!("`{}`{failed}", self.shown))),
        }
    }

    /// Runs it with its whole output in a file, which replaces one of that name, and returns how it
    /// ended.
    ///
    /// # Errors
    ///
    /// It could not be started, or was ended at the limit.
    pub(crate) fn log_to(mut self, file: &Path) -> Result<ExitStatus> {
        println!("$ {} > {}", self.shown, file.display());
        let create = || -> std::io::Result<_> {
            file.parent().map_or(Ok(()), fs::create_dir_all)?;
            let log = fs::File::create(file)?;
            Ok((log.try_clone()?, log))
        };
        let (stdout, stderr) =
            create().with_context(|| format!("cannot write {}", file.display()))?;
        let started = self.command.stdout(stdout).stderr(stderr).spawn();
        let child = started.with_context(|| format!("cannot start `{}`", self.shown))?;
        wait(child, self.limit).with_context(|| format!("`{}`", self.shown))
    }

    /// Runs it and returns what it wrote to stdout and to stderr.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run), with stderr in the message. No limit applies: this is for programs
    /// that only read files and print.
    pub(crate) fn read(mut self) -> Result<(String, String)> {
        let output =
            self.command.output().with_context(|| format!("cannot start `{}`", self.shown))?;
        let stdout = String::from_utf8(output.stdout).context("stdout is not UTF-8")?;
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        if !output.status.success() {
            bail!("`{}`: {}\n{stderr}", self.shown, output.status);
        }
        Ok((stdout, stderr))
    }

    /// The command itself, for [`Running`](crate::running::Running).
    pub(crate) fn into_command(self) -> Command {
        println!("$ {}", self.shown);
        self.command
    }
}

/// Runs all commands, also after a failure, so that one run of a chore shows every failure.
///
/// # Errors
///
/// A command failed; the message lists all that did.
pub(crate) fn run_each(runs: impl IntoIterator<Item = Run>) -> Result<()> {
    let mut failures = Vec::new();
    for run in runs {
        if let Err(error) = run.run() {
            println!("FAILED: {error:#}");
            failures.push(format!("{error:#}"));
        }
    }
    match failures.len() {
        0 => Ok(()),
        1 => bail!("{}", failures.remove(0)),
        count => bail!("{count} commands failed:\n  {}", failures.join("\n  ")),
    }
}

/// Waits for the child to end. At the limit, kills it and all its descendants.
pub(crate) fn wait(mut child: Child, limit: Duration) -> Result<ExitStatus> {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if begun.elapsed() >= limit {
            kill_tree(&mut child)?;
            bail!("still running after {} s, ended", limit.as_secs());
        }
        sleep(TICK);
    }
}

/// Kills a child, then what it had started: a test binary survives its Cargo otherwise. Where
/// there is no `/proc` only the child is ended.
fn kill_tree(child: &mut Child) -> Result<()> {
    let family = descendants(child.id());
    child.kill()?;
    child.wait()?;
    for id in family {
        let _ = Command::new("sh").args(["-c", "kill -KILL \"$0\"", &id.to_string()]).status();
    }
    Ok(())
}

fn descendants(ancestor: u32) -> Vec<u32> {
    let mut parents = Vec::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(id) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        parents.extend(parent(&entry.path()).map(|parent| (id, parent)));
    }
    let mut found = vec![ancestor];
    let mut next = 0;
    while next < found.len() {
        let of = found[next];
        found.extend(parents.iter().filter(|(_, parent)| *parent == of).map(|(id, _)| *id));
        next += 1;
    }
    found.split_off(1)
}

/// The fourth field of `stat`; the second, the program's name, may itself hold blanks.
fn parent(process: &Path) -> Option<u32> {
    let stat = fs::read_to_string(process.join("stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};
    use std::thread::sleep;
    use std::time::{Duration, Instant};

    use super::{TICK, descendants, wait};

    fn shell(script: &str) -> std::process::Child {
        Command::new("sh").args(["-c", script]).stdin(Stdio::null()).spawn().unwrap()
    }

    #[test]
    fn a_child_that_ends_in_time_returns_its_status() {
        assert_eq!(wait(shell("exit 3"), Duration::from_secs(30)).unwrap().code(), Some(3));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_limit_ends_a_child_and_its_descendants() {
        let child = shell("sleep 61 & sleep 62 & wait");
        let id = child.id();
        let mut family = vec![];
        while family.len() < 2 {
            family = descendants(id);
        }
        let error = wait(child, Duration::ZERO).unwrap_err();
        assert_eq!(error.to_string(), "still running after 0 s, ended");
        for process in family {
            // A killed process ends at some later time. Until it is reaped it has a folder, but no
            // program.
            let begun = Instant::now();
            while std::fs::read_link(format!("/proc/{process}/exe")).is_ok() {
                assert!(begun.elapsed() < Duration::from_secs(30), "{process} is alive");
                sleep(TICK);
            }
        }
    }
}
