//! Signals end a service in order, at any point of its life.

use std::{thread, time::Duration};

use rustix::process::Signal;

use crate::{child::Child, undisturbed::in_real_time};

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

/// As shells and wrappers forward a Ctrl-C.
#[test]
fn a_signal_that_is_repeated_within_milliseconds_ends_it_as_one_does() {
    in_real_time(|| {
        for delay in [300, 1_000, 2_000, 4_000].repeat(5) {
            let mut child = Child::start("serves");
            child.wait_for("ready");
            child.kill(Signal::INT);
            thread::sleep(Duration::from_micros(delay));
            // It may have ended by then.
            child.try_kill(Signal::INT);
            let ended = child.end();
            assert_eq!(ended.code, Some(0), "after {delay} µs: {}", ended.stderr);
            assert!(ended.stderr.contains(", clean; cause: signal SIGINT"), "{}", ended.stderr);
        }
    });
}

/// Until then signals are the service's; afterwards this one acts by default.
#[test]
fn a_later_signal_does_not_keep_it_from_what_it_does_at_its_end() {
    let mut child = Child::start("drops a helper for a second");
    child.wait_for("ready");
    child.kill(Signal::INT);
    child.wait_for("dropping");
    thread::sleep(Duration::from_millis(400)); // no repeat any more
    child.kill(Signal::INT);
    let ended = child.end();
    assert!(ended.stdout.contains("helper dropped"), "{}", ended.stdout);
    assert!(ended.stderr.contains(", clean; cause: signal SIGINT"), "{}", ended.stderr);
}

/// Invariant 8.
#[test]
fn a_signal_during_the_setup_drops_it_before_the_cleanups_run() {
    for _ in 0..10 {
        let mut child = Child::start("sets up for long");
        child.wait_for("ready");
        child.kill(Signal::INT);
        let ended = child.end();
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert!(!ended.stdout.contains("set up"), "{}", ended.stdout);
        let place = |text| ended.stdout.find(text).unwrap_or_else(|| panic!("{}", ended.stdout));
        assert!(place("setup dropped") < place("cleaned up"), "{}", ended.stdout);
        assert!(ended.stdout.contains("INFO task: setup cancelled by the shutdown"));
    }
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

/// Invariant 4.
#[test]
fn what_a_setup_adds_while_it_is_stopped_is_part_of_the_shutdown() {
    let log = log_of_a_stop_during("adds to the group while it is stopped");
    assert!(log.contains("set up") && log.contains("cleaned up"), "{log}");
    assert!(!log.contains("WARN") && !log.contains("ERROR"), "{log}");
}

#[test]
fn an_error_of_the_setup_during_a_stop_is_a_warning() {
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

/// Invariant 2.
#[test]
fn a_setup_that_panics_when_it_is_dropped_is_a_failure() {
    let mut child = Child::start("panics when its setup is dropped");
    child.wait_for("ready");
    child.kill(Signal::TERM);
    let ended = child.end();
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    let failure = "failure: the setup failed: dropping the setup: panicked at ";
    assert!(ended.stderr.contains(failure), "{}", ended.stderr);
}

#[test]
fn a_service_without_work_waits_for_a_signal() {
    let mut child = Child::start("has no work");
    child.wait_for("ready");
    child.kill(Signal::TERM);
    let ended = child.end();
    assert!(ended.stderr.contains("cause: signal SIGTERM"), "{}", ended.stderr);
}
