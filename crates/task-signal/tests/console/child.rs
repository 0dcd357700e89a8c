//! A child process with a console of its own, without a window, to which another program sends
//! console events. The suites of several crates include this file.

use std::{
    env,
    io::{BufRead, BufReader, Read, Write},
    os::windows::process::CommandExt as _,
    process::{self, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, Sender, channel},
    thread,
    time::{Duration, Instant},
};

/// The variable that turns a test binary into the program of a scenario.
pub(crate) const SCENARIO: &str = "TASK_CONSOLE_SCENARIO";
/// The variable that names the program that sends the events.
const SENDER: &str = "TASK_CONSOLE";
/// `CREATE_NO_WINDOW`: a console of its own, so that an event reaches this process alone.
const OWN_CONSOLE: u32 = 0x0800_0000;
/// How long a test waits for anything.
const LIMIT: Duration = Duration::from_secs(60);

/// What happens to a console.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Event {
    CtrlC,
    CtrlBreak,
    Close,
}

/// A running scenario. It is killed when dropped.
pub(crate) struct Child {
    process: process::Child,
    lines: Receiver<String>,
    seen: Vec<String>,
    untaken: Vec<String>,
}

impl Child {
    /// Starts this binary again to run a scenario in one of its tests.
    pub(crate) fn start(test: &str, scenario: &str) -> Self {
        let mut process = Command::new(env::current_exe().unwrap())
            .args(["--exact", test, "--nocapture", "--test-threads=1"])
            .env(SCENARIO, scenario)
            .creation_flags(OWN_CONSOLE)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, lines) = channel();
        read_lines(process.stdout.take().unwrap(), sender.clone());
        read_lines(process.stderr.take().unwrap(), sender);
        Self { process, lines, seen: Vec::new(), untaken: Vec::new() }
    }

    /// Has an event happen to its console.
    pub(crate) fn send(&self, event: Event) {
        let sender = env::var_os(SENDER).expect("TASK_CONSOLE names the sender of console events");
        let event = match event {
            Event::CtrlC => "ctrl-c",
            Event::CtrlBreak => "ctrl-break",
            Event::Close => "close",
        };
        let arguments = [event.to_owned(), self.process.id().to_string()];
        let sent = Command::new(sender).args(arguments).creation_flags(OWN_CONSOLE).output();
        let sent = sent.unwrap();
        assert!(sent.status.success(), "{event}: {}", String::from_utf8_lossy(&sent.stderr));
    }

    /// Lets the scenario continue.
    pub(crate) fn go(&mut self) {
        self.process.stdin.as_mut().unwrap().write_all(b"go\n").unwrap();
    }

    /// Waits for a line that contains `part` and was not waited for before.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, part: &str) {
        let deadline = Instant::now() + LIMIT;
        loop {
            if let Some(index) = self.untaken.iter().position(|line| line.contains(part)) {
                self.untaken.remove(index);
                return;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(line) = self.lines.recv_timeout(left) else {
                panic!("no line with `{part}`:\n{}", self.seen.join("\n"));
            };
            self.seen.push(line.clone());
            self.untaken.push(line);
        }
    }

    fn end(&mut self) -> ExitStatus {
        let deadline = Instant::now() + LIMIT;
        loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                self.seen.extend(self.lines.iter());
                return status;
            }
            assert!(Instant::now() < deadline, "no end:\n{}", self.seen.join("\n"));
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits for an end with an exit code.
    #[track_caller]
    pub(crate) fn ends_with(&mut self, code: i32) {
        let status = self.end();
        assert_eq!(status.code(), Some(code), "{status}\n{}", self.seen.join("\n"));
    }

    /// Waits for an end that is not the program's own, which says `survived` if it gets to it.
    #[allow(dead_code, reason = "not every suite that includes this file does")]
    pub(crate) fn ends_by_the_system(&mut self) {
        let status = self.end();
        let seen = self.seen.join("\n");
        assert!(!seen.contains("survived"), "{status}\n{seen}");
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
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
