//! One line says why the service ended and who is to blame, whatever the end: in the file that a
//! platform shows, and as the last lines of standard error.

use std::{env, fs, path::PathBuf, thread, time::Duration};

use crate::service::Service;

/// A file that is deleted after the test.
struct MessageFile(PathBuf);

impl MessageFile {
    fn new(name: &str) -> Self {
        Self(env::temp_dir().join(format!("pipeline-why-{name}-{}", std::process::id())))
    }
}

impl Drop for MessageFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// What an end is to leave.
struct Expected {
    code: i32,
    /// The beginning of the first line of the message, after the exit code.
    cause: &'static str,
    /// A line of the message with all of these says who and why.
    line: &'static [&'static str],
}

/// Runs the service with a fault, sends these signals once it is there, and checks what is left.
fn check(name: &str, fault: Option<&str>, signals: &[&str], expected: &Expected) {
    let file = MessageFile::new(name);
    let path = file.0.to_str().unwrap();
    // Without orders, whose generator could fail beside the fault.
    let mut arguments = vec!["--rate=0", "--shutdown-budget=3s", "--termination-log", path];
    arguments.extend(fault.iter().flat_map(|fault| ["--fault", fault]));
    let mut service = Service::start(name, &arguments);
    if !signals.is_empty() {
        service.wait_for(if fault.is_some() { "the fault is there" } else { "joining group" });
    }
    for (place, signal) in signals.iter().enumerate() {
        if place > 0 {
            // Beyond the window in which it would be a repeat.
            thread::sleep(Duration::from_millis(400));
        }
        service.signal(signal);
    }
    let ended = service.end();
    assert_eq!(ended.code, Some(expected.code), "{}", ended.log);
    let message = fs::read_to_string(&file.0).unwrap();
    let first = format!("exit code {}, cause: {}", expected.code, expected.cause);
    assert!(message.starts_with(&first), "{first}: {message}");
    let says_all =
        |text: &str| text.lines().any(|line| expected.line.iter().all(|part| line.contains(part)));
    assert!(says_all(&message), "{:?}: {message}", expected.line);
    assert!(says_all(&ended.log), "{:?}: {}", expected.line, ended.log);
}

#[test]
fn a_clean_end() {
    let cause = "signal SIGTERM";
    let line = &["pipeline stopped in ", "clean; cause: signal SIGTERM"];
    check("clean", None, &["TERM"], &Expected { code: 0, cause, line });
}

#[test]
fn a_task_that_fails() {
    let cause = "task `fault` failed";
    let line = &["1 failure: task `fault` failed: the fault that was asked for"];
    check("failed", Some("error"), &[], &Expected { code: 1, cause, line });
}

#[test]
fn a_task_that_panics() {
    let cause = "task `fault` panicked";
    let line =
        &["1 failure: task `fault` panicked at ", "fault.rs:", "the fault that was asked for"];
    check("panicked", Some("panic"), &[], &Expected { code: 1, cause, line });
}

#[test]
fn a_setup_that_fails() {
    let cause = "the setup failed";
    let line =
        &["1 failure: the setup failed: ", "failed to connect to sqlite:///no/such/folder/x.db"];
    let file = MessageFile::new("setup");
    let url = "--database-url=sqlite:///no/such/folder/x.db";
    let service = Service::start("setup", &[url, "--termination-log", file.0.to_str().unwrap()]);
    let ended = service.end();
    assert_eq!(ended.code, Some(3), "{}", ended.log);
    let message = fs::read_to_string(&file.0).unwrap();
    assert!(message.starts_with(&format!("exit code 3, cause: {cause}")), "{message}");
    assert!(line.iter().all(|part| message.contains(part)), "{message}");
}

/// Nothing on the runtime is polled any more, the probes neither.
#[test]
fn a_runtime_that_is_blocked_while_the_service_runs() {
    let cause = "signal SIGTERM";
    let line =
        &["pipeline stopped in ", "`fault#", "was abandoned in a poll that had not returned"];
    check("wedged", Some("wedge"), &["TERM"], &Expected { code: 1, cause, line });
}

#[test]
fn a_runtime_that_is_blocked_by_the_stop() {
    let cause = "signal SIGTERM";
    let line =
        &["pipeline stopped in ", "`fault#", "was abandoned in a poll that had not returned"];
    check("wedged-at-stop", Some("wedge-at-stop"), &["TERM"], &Expected { code: 1, cause, line });
}

/// Nobody takes the report: the hard exit.
#[test]
fn a_main_thread_that_is_blocked() {
    let cause = "signal SIGTERM";
    let line = &["pipeline: hard exit with code 4", "alive: setup"];
    check("wedged-setup", Some("wedge-setup"), &["TERM"], &Expected { code: 4, cause, line });
}

#[test]
fn a_second_signal() {
    let cause = "signal SIGINT";
    // On a busy machine the consumer has not ended either by then.
    let line =
        &["pipeline stopped in ", "`fault`", " was aborted at ", "the shutdown was escalated"];
    check("second", Some("slow"), &["INT", "INT"], &Expected { code: 1, cause, line });
}
