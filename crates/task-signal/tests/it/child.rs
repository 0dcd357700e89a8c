//! The parent's side: a child process that runs one scenario, under a watchdog.

use std::{
    ffi::OsStr,
    fs,
    io::{BufRead, BufReader, Read, Write},
    os::unix::process::ExitStatusExt,
    process::{self, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    thread,
    time::{Duration, Instant},
};

use nix::sys::signal::SigSet;
use rustix::process::{Pid, Signal, kill_process};
#[cfg(target_os = "linux")]
use rustix::process::{Resource, Rlimit, prlimit};

/// How long a test waits for anything.
const WAIT_LIMIT: Duration = Duration::from_secs(30);

/// The variable that turns this test binary into the program of a scenario.
pub(crate) const SCENARIO: &str = "TASK_SIGNAL_SCENARIO";

/// What follows a signal's name if the sender is known.
pub(crate) fn from_us() -> String {
    if cfg!(feature = "sender") { format!(" from pid {}", process::id()) } else { String::new() }
}

/// A running scenario. It is killed, by its pid, when dropped.
pub(crate) struct Child {
    process: process::Child,
    /// The pid to send signals to: that of the scenario, where the process is a wrapper around it.
    pub(crate) pid: i32,
    lines: Receiver<String>,
    seen: Vec<String>,
    untaken: Vec<String>,
}

impl Child {
    /// Starts a scenario and waits until it says `ready`.
    pub(crate) fn start(scenario: &str) -> Self {
        Self::start_by(program(), scenario)
    }

    /// Starts a scenario in a process with some signals ignored, as `nohup` and scripts do it.
    pub(crate) fn start_ignoring(signals: &str, scenario: &str) -> Self {
        let mut shell = command("sh");
        shell.args(["-c", &format!("trap '' {signals}; exec \"$0\" \"$@\"")]);
        shell.arg(std::env::current_exe().unwrap());
        Self::start_by(shell, scenario)
    }

    /// Starts a scenario in a process with some signals blocked.
    pub(crate) fn start_blocking(signals: &str, scenario: &str) -> Self {
        let mut env = command("env");
        env.arg(format!("--block-signal={signals}")).arg(std::env::current_exe().unwrap());
        Self::start_by(env, scenario)
    }

    /// Starts a scenario by a command that takes the arguments of this test binary.
    pub(crate) fn start_by(command: Command, scenario: &str) -> Self {
        let mut child = Self::spawn(command, scenario, Stdio::piped());
        child.wait_for("ready");
        child
    }

    /// Starts a scenario, for one that is not expected to become ready, or whose stderr nobody is
    /// to read.
    pub(crate) fn spawn(mut command: Command, scenario: &str, stderr: Stdio) -> Self {
        let mut process = command
            .args(["--exact", "scenario::a_child_refuses_a_scenario_that_does_not_exist"])
            .args(["--nocapture", "--test-threads=1"])
            .env(SCENARIO, scenario)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .unwrap();
        let (sender, lines) = channel();
        read_lines(process.stdout.take().unwrap(), sender.clone());
        if let Some(stderr) = process.stderr.take() {
            read_lines(stderr, sender);
        }
        let pid = i32::try_from(process.id()).unwrap();
        Self { process, pid, lines, seen: Vec::new(), untaken: Vec::new() }
    }

    /// Sends a signal.
    pub(crate) fn kill(&self, signal: Signal) {
        self.try_kill(signal).unwrap();
    }

    /// Sends a signal, if there still is somebody to send it to.
    pub(crate) fn try_kill(&self, signal: Signal) -> rustix::io::Result<()> {
        kill_process(Pid::from_raw(self.pid).unwrap(), signal)
    }

    /// Sends a signal that has no name.
    pub(crate) fn kill_by_number(&self, number: i32) {
        let command = format!("kill -{number} {}", self.pid);
        assert!(Command::new("sh").args(["-c", &command]).status().unwrap().success());
    }

    /// Sends a signal and waits until the log says that it was received.
    pub(crate) fn kill_and_see(&mut self, signal: Signal, received: &str) {
        self.kill(signal);
        self.wait_for(received);
    }

    /// Limits the memory of a program with one heap: it may grow, and no thread gets a stack.
    #[cfg(target_os = "linux")]
    pub(crate) fn refuse_more_threads(&self) {
        let statm = fs::read_to_string(format!("/proc/{}/statm", self.pid)).unwrap();
        let pages = statm.split(' ').next().unwrap().parse::<u64>().unwrap();
        let limit = Some(pages * 4096 + (1 << 20));
        let room = Rlimit { current: limit, maximum: limit };
        prlimit(Pid::from_raw(self.pid), Resource::As, room).unwrap();
    }

    /// Lets the scenario continue.
    pub(crate) fn go(&mut self) {
        self.process.stdin.as_mut().unwrap().write_all(b"go\n").unwrap();
    }

    /// Waits for a line that contains `part` and has not been taken by an earlier wait, and returns
    /// it. Lines of different threads come in any order, so one that came before others were waited
    /// for counts as well.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, part: &str) -> String {
        let deadline = Instant::now() + WAIT_LIMIT;
        loop {
            if let Some(index) = self.untaken.iter().position(|line| line.contains(part)) {
                return self.untaken.remove(index);
            }
            match self.next_line(deadline) {
                Ok(line) => self.see(line),
                Err(error) => panic!("no line with `{part}` ({error}):\n{}", self.seen.join("\n")),
            }
        }
    }

    /// Times out even if lines keep coming.
    fn next_line(&self, deadline: Instant) -> Result<String, RecvTimeoutError> {
        match deadline.checked_duration_since(Instant::now()) {
            Some(left) => self.lines.recv_timeout(left),
            None => Err(RecvTimeoutError::Timeout),
        }
    }

    fn see(&mut self, line: String) {
        self.seen.push(line.clone());
        self.untaken.push(line);
    }

    /// Waits until the process has closed its output. It may not have been reaped yet.
    pub(crate) fn wait_for_end_of_output(&mut self) {
        let deadline = Instant::now() + WAIT_LIMIT;
        loop {
            match self.next_line(deadline) {
                Ok(line) => self.see(line),
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => panic!("no end:\n{}", self.seen.join("\n")),
            }
        }
    }

    /// Waits for the end of the process and of its output.
    pub(crate) fn end(&mut self) -> ExitStatus {
        self.wait_for_end_of_output();
        let deadline = Instant::now() + WAIT_LIMIT;
        loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "no end:\n{}", self.seen.join("\n"));
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Waits for an end with an exit code.
    #[track_caller]
    pub(crate) fn ends_with(&mut self, code: i32) {
        let status = self.end();
        assert_eq!(status.code(), Some(code), "{status}\n{}", self.seen.join("\n"));
    }

    /// Waits for an end by a signal.
    #[track_caller]
    pub(crate) fn ends_by(&mut self, signal: Signal) {
        let status = self.end();
        assert_eq!(status.signal(), Some(signal.as_raw()), "{status}\n{}", self.seen.join("\n"));
    }

    /// Returns whether the process has ended.
    pub(crate) fn is_over(&mut self) -> bool {
        self.process.try_wait().unwrap().is_some()
    }

    /// Returns which line seen so far is the first that contains `part`. The order is that of the
    /// output for lines of one stream.
    pub(crate) fn position(&self, part: &str) -> Option<usize> {
        self.seen.iter().position(|line| line.contains(part))
    }

    /// Returns whether a line seen so far starts with `start`.
    pub(crate) fn has_line_that_starts_with(&self, start: &str) -> bool {
        self.seen.iter().any(|line| line.starts_with(start))
    }

    /// Counts the lines seen so far that contain `part`.
    pub(crate) fn count(&self, part: &str) -> usize {
        self.seen.iter().filter(|line| line.contains(part)).count()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Returns the command for this test binary.
pub(crate) fn program() -> Command {
    command(std::env::current_exe().unwrap())
}

/// Returns the command for this test binary with one arena, so that all threads allocate from the
/// heap that grows in small steps.
#[cfg(target_os = "linux")]
pub(crate) fn program_with_one_heap() -> Command {
    let mut command = program();
    command.env("MALLOC_ARENA_MAX", "1");
    command
}

/// Returns a command that ignores no signals, to be started by this thread, which blocks none. In
/// the background of a script, or under `nohup`, the tests themselves are started with some
/// ignored, which their children are not to inherit.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
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

fn read_lines(output: impl Read + Send + 'static, lines: Sender<String>) {
    thread::spawn(move || {
        for line in BufReader::new(output).lines() {
            let Ok(line) = line else { break };
            if lines.send(line).is_err() {
                break;
            }
        }
    });
}
