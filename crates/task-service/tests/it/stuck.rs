//! Code that blocks the runtime does not keep the process alive.

use std::time::Duration;

use rustix::process::Signal;

use crate::{child::Child, undisturbed::in_real_time};

#[test]
fn with_every_worker_blocked_it_ends_at_the_deadline_with_the_stuck_names() {
    in_real_time(|| {
        let mut child = Child::start("blocks every worker");
        child.wait_for("ready");
        child.wait_for("ready");
        child.kill(Signal::TERM);
        let ended = child.end();
        assert_eq!(ended.code, Some(1), "{}", ended.stderr);
        let failures =
            "each of 2 tasks was abandoned in a poll that had not returned (phase WORK had ";
        assert!(ended.stderr.contains(failures), "{}", ended.stderr);
        assert!(
            ["wedge-a", "wedge-b"].iter().all(|name| ended.stderr.contains(name)),
            "{}",
            ended.stderr
        );
        let blocked = "the runtime was blocked by: task `wedge-";
        assert!(ended.stderr.contains(blocked), "{}", ended.stderr);
        assert!(ended.took < Duration::from_secs(3), "{:?}", ended.took);
    });
}

#[test]
fn with_the_only_thread_blocked_the_hard_exit_ends_it_with_4_and_the_names() {
    in_real_time(|| {
        let mut child = Child::start("blocks the only thread");
        child.wait_for("ready");
        child.kill(Signal::TERM);
        let ended = child.end();
        assert_eq!(ended.code, Some(4), "{}", ended.stderr);
        assert!(ended.stderr.contains("hard exit with code 4"), "{}", ended.stderr);
        assert!(ended.stderr.contains("wedge-a"), "{}", ended.stderr);
        assert!(ended.took < Duration::from_millis(3_500), "{:?}", ended.took);
    });
}

#[test]
fn the_code_of_the_hard_exit_is_the_services_and_not_the_managers() {
    let mut child = Child::start("another hard exit of the manager");
    child.wait_for("ready");
    child.kill(Signal::TERM);
    assert_eq!(child.end().code, Some(4));
}

#[track_caller]
fn assert_setup_abandoned(report: &str) {
    let failure = report.split("failure: the setup was abandoned (").nth(1);
    assert!(failure.is_some(), "{report}");
}

/// Invariants 7 and 8.
#[test]
fn a_setup_that_blocks_gets_its_stop_timeout_and_not_the_whole_shutdown() {
    in_real_time(|| {
        let mut child = Child::start("blocks its setup past its stop timeout");
        child.wait_for("ready");
        child.kill(Signal::TERM);
        let ended = child.end();
        assert_eq!(ended.code, Some(1), "{}", ended.stderr);
        assert_setup_abandoned(&ended.stderr);
        assert!(ended.stdout.contains("cleaned up"), "{}", ended.stdout);
    });
}

/// Invariants 7 and 8.
#[test]
fn a_setup_that_blocks_past_its_deadline_is_named_and_the_cleanups_run_without_it() {
    in_real_time(|| {
        let mut child = Child::start("blocks its setup past its deadline");
        child.wait_for("ready");
        child.kill(Signal::TERM);
        let ended = child.end();
        assert_eq!(ended.code, Some(1), "{}", ended.stderr);
        assert_setup_abandoned(&ended.stderr);
        assert!(ended.stdout.contains("cleaned up"), "{}", ended.stdout);
        let warning = "WARN task: setup failed during the shutdown error=\"`worker` was refused: ";
        assert!(ended.stdout.contains(warning), "{}", ended.stdout);
    });
}

/// Invariant 7.
#[test]
fn a_setup_that_blocks_main_is_ended_by_the_hard_exit_which_names_it() {
    in_real_time(|| {
        for (scenario, limit) in
            [("blocks its setup", 3_500), ("blocks the setup of the only thread", 4_500)]
        {
            let mut child = Child::start(scenario);
            child.wait_for("ready");
            child.kill(Signal::TERM);
            let ended = child.end();
            assert_eq!(ended.code, Some(4), "{scenario}: {}", ended.stderr);
            let alive = ended.stderr.split("alive: ").nth(1);
            assert!(alive.is_some_and(|alive| alive.contains("setup")), "{}", ended.stderr);
            assert!(ended.took < Duration::from_millis(limit), "{scenario}: {:?}", ended.took);
        }
    });
}
