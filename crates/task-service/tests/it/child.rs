//! The parent's side: a child process that runs one scenario, under a watchdog.

use std::{
    ffi::OsStr,
    fs,
    io::{self, BufRead, BufReader, Read},
    os::unix::process::CommandExt as _,
    process::{self, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use nix::sys::signal::SigSet;
use rustix::process::{Pid, Signal, kill_process};

/// The variable that turns this test binary into the program of a scenario.
pub(crate) const SCENARIO: &str = "TASK_SERVICE_SCENARIO";

/// How long a scenario may take.
const CHILD_TIMEOUT: Duration = Duration::from_secs(30);

/// A running scenario. It is killed, by its pid, when dropped.
pub(crate) struct Child {
    process: process::Child,
    stdout: Option<BufReader<process::ChildStdout>>,
}

/// How a scenario ended.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) took: Duration,
}

impl Child {
    pub(crate) fn start(scenario: &str) -> Self {
        Self::start_in(scenario, &[])
    }

    /// Starts a scenario with these variables in its environment.
    pub(crate) fn start_in(scenario: &str, environment: &[(&str, &str)]) -> Self {
        let mut command = program(scenario);
        command.envs(environment.iter().copied());
        Self::spawn(&mut command).unwrap()
    }

    /// Starts a scenario as a user that has no other process, not that of another test either;
    /// `None` if that is not allowed.
    pub(crate) fn start_as_nobody_else(scenario: &str) -> Option<Self> {
        static USERS: AtomicU32 = AtomicU32::new(0);
        let user = process::id().wrapping_mul(32) + USERS.fetch_add(1, Ordering::Relaxed);
        let uid = 40_000 + user % 20_000;
        Self::spawn(program(scenario).uid(uid)).ok()
    }

    fn spawn(command: &mut Command) -> io::Result<Self> {
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let stdout = process.stdout.take().map(BufReader::new);
        Ok(Self { process, stdout })
    }

    /// Reads lines until one contains `part`.
    pub(crate) fn wait_for(&mut self, part: &str) {
        self.read_until(part);
    }

    /// Reads lines until one contains `part`, and returns them.
    pub(crate) fn read_until(&mut self, part: &str) -> String {
        let mut text = String::new();
        while !text.lines().last().is_some_and(|line| line.contains(part)) {
            let read = self.stdout.as_mut().unwrap().read_line(&mut text).unwrap();
            assert!(read > 0, "the child ended without saying `{part}`");
        }
        text
    }

    pub(crate) fn kill(&self, signal: Signal) {
        assert!(self.try_kill(signal));
    }

    /// Sends a signal, and returns whether the process was still there. It is not waited for until
    /// [`end`](Self::end), so its pid is no other's.
    pub(crate) fn try_kill(&self, signal: Signal) -> bool {
        let pid = Pid::from_raw(i32::try_from(self.process.id()).unwrap()).unwrap();
        kill_process(pid, signal).is_ok()
    }

    pub(crate) fn end(mut self) -> Ended {
        let began = Instant::now();
        let mut stderr = self.process.stderr.take().unwrap();
        let errors = thread::spawn(move || {
            let mut text = String::new();
            let _ = stderr.read_to_string(&mut text);
            text
        });
        let mut stdout = self.stdout.take().unwrap();
        let output = thread::spawn(move || {
            let mut text = String::new();
            let _ = stdout.read_to_string(&mut text);
            text
        });
        let status = loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                break status;
            }
            assert!(began.elapsed() < CHILD_TIMEOUT, "the child did not end");
            thread::sleep(Duration::from_millis(5));
        };
        let took = began.elapsed();
        let (stdout, stderr) = (output.join().unwrap(), errors.join().unwrap());
        Ended { code: status.code(), stdout, stderr, took }
    }
}

/// Returns a command that runs a scenario.
fn program(scenario: &str) -> Command {
    let mut command = command(std::env::current_exe().unwrap());
    command
        // On the main thread, since some scenarios count threads.
        .args(["--exact", "scenario::an_unknown_scenario_is_refused", "--nocapture"])
        .args(["--test-threads", "1"])
        .env(SCENARIO, scenario);
    command
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Returns a command that ignores no signals, to be started by this thread, which blocks none. In
/// the background of a script, or under `nohup`, the tests themselves are started with some
/// ignored, which their children are not to inherit.
fn command(program: impl AsRef<OsStr>) -> Command {
    SigSet::all().thread_unblock().unwrap();
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    // Rust's runtime has SIGPIPE ignored in every program.
    if ignored & !(1 << (Signal::PIPE.as_raw() - 1)) == 0 {
        return Command::new(program);
    }
    let mut env = Command::new("env");
    env.arg("--default-signal").arg(program.as_ref());
    env
}
