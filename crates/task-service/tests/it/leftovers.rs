//! What is left on the runtime when the group has ended, and code of the user's that panics or
//! blocks at the end.

use std::{fs, time::Duration};

use rustix::process::Signal;

use crate::child::Child;

/// Far below what anything here blocks for.
const SOON: Duration = Duration::from_secs(10);

#[test]
fn what_is_left_on_the_runtime_is_dropped_before_the_exit() {
    for scenario in ["leaves a helper behind", "leaves a helper behind on the only thread"] {
        for _ in 0..20 {
            let ended = Child::start(scenario).end();
            assert_eq!(ended.code, Some(0), "{}", ended.stderr);
            assert!(ended.stdout.contains("helper dropped"), "{}", ended.stdout);
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_child_process_under_kill_on_drop_does_not_outlive_the_service() {
    let ended = Child::start("leaves a child process behind").end();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let (_, pid) = ended.stdout.split_once("child ").unwrap();
    let pid = pid.lines().next().unwrap();
    // It has its signal. It may take a moment to act, and nobody may have collected its status.
    let is_alive = || {
        let state = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        state.contains("(sleep) S") || state.contains("(sleep) R")
    };
    let gone = (0..200).any(|_| {
        std::thread::sleep(Duration::from_millis(10));
        !is_alive()
    });
    assert!(gone, "process {pid} is alive");
}

/// What an exit path needs exists before it is needed.
#[test]
fn without_threads_of_the_system_the_report_is_written_and_what_is_left_is_dropped() {
    let Some(child) = Child::start_as_nobody_else("is granted no thread any more") else {
        return println!("skipped: this user may not start a process of another user");
    };
    let ended = child.end();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains(", clean; cause: all work is done"), "{}", ended.stderr);
    assert!(ended.stdout.contains(" INFO task: shutdown ended "), "{}", ended.stdout);
    assert!(ended.stdout.contains("helper dropped"), "{}", ended.stdout);
}

#[test]
fn a_destructor_that_blocks_does_not_hold_the_exit() {
    let ended = Child::start("leaves a destructor that blocks behind").end();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains(", clean; cause: all work is done"), "{}", ended.stderr);
    assert!(ended.took < SOON, "{:?}", ended.took);
}

/// Invariant 9.
#[test]
fn an_error_of_the_setup_that_panics_or_blocks_changes_no_exit_code() {
    for how in ["panics when shown", "panics when dropped", "blocks when dropped"] {
        let ended = Child::start(&format!("fails its setup with an error that {how}")).end();
        assert_eq!(ended.code, Some(3), "{how}: {}", ended.stderr);
        assert!(ended.stderr.contains("failure: the setup failed"), "{how}: {}", ended.stderr);
        assert!(ended.took < SOON, "{how}: {:?}", ended.took);
    }
    let mut child = Child::start("fails its setup late with an error that panics");
    child.wait_for("ready");
    child.kill(Signal::TERM);
    let ended = child.end();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(
        ended.stdout.contains("WARN task: setup failed during the shutdown"),
        "{}",
        ended.stdout
    );
}
