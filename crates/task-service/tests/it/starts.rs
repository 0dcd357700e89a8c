//! Starts that fail, and options of the runtime.

use std::time::Duration;

use crate::child::{Child, Ended};

/// Far below what anything here blocks for.
const SOON: Duration = Duration::from_secs(10);

fn assert_failed_to_start(ended: &Ended) {
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    assert!(ended.stderr.contains("the service failed to start: "), "{}", ended.stderr);
}

#[test]
fn settings_that_contradict_each_other_exit_with_3() {
    let ended = Child::start("contradicts itself").end();
    assert_failed_to_start(&ended);
    assert!(ended.stdout.contains("ERROR task: service failed to start error="));
}

#[test]
fn a_log_that_blocks_does_not_hold_a_failed_start() {
    let ended = Child::start("contradicts itself, and the log blocks").end();
    assert_failed_to_start(&ended);
    assert!(ended.took < SOON, "{:?}", ended.took);
}

#[test]
fn within_a_runtime_it_panics_at_the_place_of_the_caller() {
    let ended = Child::start("runs within a runtime").end();
    assert_eq!(ended.code, Some(101), "{}", ended.stderr);
    assert!(ended.stderr.contains("starting.rs:"), "{}", ended.stderr);
    assert!(ended.stderr.contains("a service cannot run within a Tokio runtime"));
}

/// What an exit path needs exists before it is needed.
#[test]
fn however_few_threads_the_system_grants_it_runs_or_says_why_not() {
    let mut has_run = false;
    for granted in 0..20 {
        let scenario = format!("is granted this many threads: {granted}");
        let Some(child) = Child::start_as_nobody_else(&scenario) else {
            return println!("skipped: this user may not start a process of another user");
        };
        let ended = child.end();
        if ended.code == Some(0) {
            assert!(ended.stderr.contains(", clean; cause: all work is done"), "{}", ended.stderr);
            has_run = true;
        } else {
            println!("with {granted} threads: {}", ended.stderr.trim_end());
            assert!(!has_run, "with fewer threads it ran");
            assert_failed_to_start(&ended);
        }
    }
    assert!(has_run);
}

/// As under a limit of the container that is used up.
#[test]
fn without_any_thread_it_says_so_and_exits_with_3() {
    let scenario = "is granted this many threads: 1000";
    // A stack that is larger than any address space.
    let ended = Child::start_in(scenario, &[("RUST_MIN_STACK", "1000000000000000")]).end();
    assert_failed_to_start(&ended);
}

#[test]
fn the_stack_size_is_that_of_the_workers() {
    let ended = Child::start("needs a large stack").end();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
}

#[test]
fn the_number_of_threads_for_blocking_code_is_limited() {
    let ended = Child::start("has one thread for blocking code").end();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stdout.contains("0 at the same time"), "{}", ended.stdout);
}
