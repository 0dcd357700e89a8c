//! What counts of a test of deadlines on a machine that stands still.
#![cfg(target_os = "linux")]

use std::{
    env,
    panic::catch_unwind,
    process::{self, Command},
    sync::atomic::{AtomicU32, Ordering},
};

use crate::undisturbed::in_real_time;

/// Set in the process that is stopped.
const ALONE: &str = "TASK_DISTURBED";
static RUNS: AtomicU32 = AtomicU32::new(0);

/// Stops this process for half a second.
fn stand_still() {
    let script = format!("kill -STOP {0}; sleep 0.5; kill -CONT {0}", process::id());
    assert!(Command::new("sh").args(["-c", &script]).status().unwrap().success());
}

/// In a process of its own: this binary again, with this test alone.
fn alone(name: &str, body: impl FnOnce()) {
    if env::var_os(ALONE).is_some() {
        return body();
    }
    let mut alone = Command::new(env::current_exe().unwrap());
    let ended = alone.args([name, "--exact", "--nocapture"]).env(ALONE, "").output().unwrap();
    let text = String::from_utf8_lossy(&ended.stdout);
    assert!(text.contains("1 passed"), "{text}{}", String::from_utf8_lossy(&ended.stderr));
}

#[test]
fn a_failure_while_the_process_was_stopped_does_not_count() {
    alone("disturbed::a_failure_while_the_process_was_stopped_does_not_count", || {
        in_real_time(|| {
            if RUNS.fetch_add(1, Ordering::SeqCst) == 0 {
                stand_still();
                panic!("late");
            }
        });
        assert!(RUNS.load(Ordering::SeqCst) >= 2);
    });
}

#[test]
fn a_failure_counts_while_the_process_runs() {
    alone("disturbed::a_failure_counts_while_the_process_runs", || {
        let counts = |_| {
            RUNS.store(0, Ordering::SeqCst);
            let fails = || {
                RUNS.fetch_add(1, Ordering::SeqCst);
                panic!("at fault");
            };
            catch_unwind(|| in_real_time(fails)).unwrap_err();
            RUNS.load(Ordering::SeqCst) == 1
        };
        // Not in each attempt: the machine may be busy.
        assert!((0..100).any(counts));
    });
}

#[test]
fn a_test_that_fails_each_time_fails_after_five() {
    alone("disturbed::a_test_that_fails_each_time_fails_after_five", || {
        let fails = || {
            RUNS.fetch_add(1, Ordering::SeqCst);
            stand_still();
            panic!("at fault");
        };
        catch_unwind(|| in_real_time(fails)).unwrap_err();
        assert_eq!(RUNS.load(Ordering::SeqCst), 5);
    });
}
