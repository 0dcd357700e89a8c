//! Signals end a service in order, at any point of its life.

use std::time::Duration;

use rustix::process::Signal;

use crate::child::Child;

#[test]
fn a_signal_ends_the_service_with_0_and_is_the_cause() {
    let mut child = Child::start("serves");
    child.wait_for("ready");
    child.kill(Signal::TERM);
    let ended = child.end();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stdout.contains("cleaned up"));
    assert!(ended.stderr.contains("cause: signal SIGTERM"), "{}", ended.stderr);
    assert!(ended.took < Duration::from_secs(5), "{:?}", ended.took);
}

#[test]
fn a_signal_during_the_setup_drops_it_and_runs_the_cleanups() {
    let mut child = Child::start("sets up for long");
    child.wait_for("ready");
    child.kill(Signal::INT);
    let ended = child.end();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(
        ended.stdout.contains("cleaned up") && !ended.stdout.contains("set up"),
        "{}",
        ended.stdout
    );
}

/// Runs a scenario, stops it by a signal in mid-setup, and returns its log. It ends cleanly.
fn log_of_a_stop_during(scenario: &str) -> String {
    let mut child = Child::start(scenario);
    child.wait_for("ready");
    child.kill(Signal::TERM);
    let ended = child.end();
    assert_eq!(ended.code, Some(0), "{scenario}: {}", ended.stderr);
    assert!(ended.stderr.contains(", clean; cause: signal SIGTERM"), "{}", ended.stderr);
    ended.stdout
}

#[test]
fn a_refusal_during_a_stop_ends_the_setup_quietly() {
    for scenario in [
        "runs a task too late",
        "runs a task too late, with context",
        "runs a task too late, in an error of its own",
        "registers a cleanup too late",
    ] {
        let log = log_of_a_stop_during(scenario);
        assert!(log.contains("INFO task: setup cancelled by the shutdown"), "{scenario}: {log}");
        assert!(!log.contains("WARN") && !log.contains("ERROR"), "{scenario}: {log}");
    }
}

#[test]
fn another_error_of_the_setup_during_a_stop_is_a_warning() {
    let log = log_of_a_stop_during("fails its setup late");
    let warning = "WARN task: setup failed during the shutdown error=\"connecting: no database\"";
    assert!(log.contains(warning), "{log}");
    assert!(!log.contains("setup cancelled"), "{log}");
}

#[test]
fn a_setup_that_panics_after_a_signal_is_a_failure() {
    let mut child = Child::start("panics late in its setup");
    child.wait_for("ready");
    child.kill(Signal::TERM);
    let ended = child.end();
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains("failure: the setup failed: panicked at "), "{}", ended.stderr);
}

#[test]
fn a_service_without_work_waits_for_a_signal() {
    let mut child = Child::start("has no work");
    child.wait_for("ready");
    child.kill(Signal::TERM);
    let ended = child.end();
    assert!(ended.stderr.contains("cause: signal SIGTERM"), "{}", ended.stderr);
}
