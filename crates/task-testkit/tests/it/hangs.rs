//! The watchdog, which ends the process: each case runs in a child process.

use std::{
    cell::Cell,
    env,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use task_core::{Context, task_fn};
use task_testkit::{cancel_everywhere, paused};
use tokio::time::sleep;

/// Set in the process in which a test hangs on purpose.
const HANGS: &str = "TASK_TESTKIT_HANGS";

/// Runs this test again in a process of its own, where it hangs, and returns what that wrote.
fn ended_by_the_watchdog(test: &str) -> String {
    let began = Instant::now();
    let mut child = Command::new(env::current_exe().unwrap());
    let child = child
        .args(["--exact", test, "--nocapture"])
        .env(HANGS, "")
        .env("TASK_TESTKIT_TIMEOUT", "2");
    let ended = child.stdin(Stdio::null()).output().unwrap();
    let text = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(ended.status.code(), Some(101), "{text}");
    assert!(began.elapsed() >= Duration::from_secs(2), "{text}");
    text
}

#[test]
fn a_poll_that_never_returns_is_named_by_its_point() {
    if env::var_os(HANGS).is_none() {
        let text = ended_by_the_watchdog("hangs::a_poll_that_never_returns_is_named_by_its_point");
        let line = "the task, cancelled at point 1, hangs: nothing ended for 2s of real time";
        assert!(text.contains(line), "{text}");
        return;
    }
    let lives = Cell::new(0);
    cancel_everywhere(async || {
        lives.set(lives.get() + 1);
        // The first two lives go to their end, the third is point 0.
        let hangs = lives.get() == 4;
        let task = task_fn("swallower", async move |ctx: Context| {
            loop {
                let pause = sleep(Duration::from_secs(100));
                if ctx.or_cancelled(pause).await.is_err() && !hangs {
                    return Ok(());
                }
                // Cancelled, it is ready at once, each time.
            }
        });
        ((), task)
    })
    .check(async |()| {});
}

#[test]
fn a_test_that_hangs_is_named_by_its_place() {
    if env::var_os(HANGS).is_none() {
        let text = ended_by_the_watchdog("hangs::a_test_that_hangs_is_named_by_its_place");
        assert!(text.contains("hangs.rs:"), "{text}");
        assert!(text.contains("hangs::a_test_that_hangs_is_named_by_its_place: the test at"));
        return;
    }
    paused(std::future::pending::<()>());
}
