//! Code that blocks the runtime does not keep the process alive.

use std::time::Duration;

use rustix::process::Signal;

use crate::child::Child;

#[test]
fn with_every_worker_blocked_it_ends_at_the_deadline_with_the_stuck_names() {
    let mut child = Child::start("blocks every worker");
    child.wait_for("ready");
    child.wait_for("ready");
    child.kill(Signal::TERM);
    let ended = child.end();
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    for name in ["wedge-a", "wedge-b"] {
        let line = format!("task `{name}` did not end by its deadline (phase WORK had ");
        assert!(ended.stderr.contains(&line), "{}", ended.stderr);
        assert!(ended.stderr.contains(" and was abandoned "), "{}", ended.stderr);
    }
    assert!(ended.took < Duration::from_secs(3), "{:?}", ended.took);
}

#[test]
fn with_the_only_thread_blocked_the_hard_exit_ends_it_with_4_and_the_names() {
    let mut child = Child::start("blocks the only thread");
    child.wait_for("ready");
    child.kill(Signal::TERM);
    let ended = child.end();
    assert_eq!(ended.code, Some(4), "{}", ended.stderr);
    assert!(ended.stderr.contains("hard exit with code 4"), "{}", ended.stderr);
    assert!(ended.stderr.contains("wedge-a"), "{}", ended.stderr);
    assert!(ended.took < Duration::from_millis(3_500), "{:?}", ended.took);
}

#[test]
fn the_code_of_the_hard_exit_is_the_services_and_not_the_managers() {
    let mut child = Child::start("another hard exit of the manager");
    child.wait_for("ready");
    child.kill(Signal::TERM);
    assert_eq!(child.end().code, Some(4));
}

#[test]
fn a_setup_that_blocks_main_is_ended_by_the_hard_exit() {
    let mut child = Child::start("blocks its setup");
    child.wait_for("ready");
    child.kill(Signal::TERM);
    let ended = child.end();
    assert_eq!(ended.code, Some(4), "{}", ended.stderr);
    assert!(ended.took < Duration::from_millis(3_500), "{:?}", ended.took);
}
