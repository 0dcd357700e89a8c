//! Running code that may block, for a bounded time.

use std::{
    sync::mpsc,
    time::{Duration, Instant},
};

use task_core::scope::run_with_timeout;

/// Far beyond what anything here takes.
const LIMIT: Duration = Duration::from_secs(20);

#[test]
fn a_job_that_ends_in_time_has_run_when_the_call_returns() {
    let (done, is_done) = mpsc::channel();
    assert!(run_with_timeout(LIMIT, move || done.send(7).unwrap()));
    assert_eq!(is_done.try_recv(), Ok(7));
}

#[test]
fn a_job_that_blocks_is_left_behind_at_the_timeout() {
    let (keep, blocked) = mpsc::channel::<()>();
    let begun = Instant::now();
    assert!(!run_with_timeout(Duration::from_millis(20), move || blocked
        .recv()
        .unwrap_or_default()));
    assert!(begun.elapsed() >= Duration::from_millis(20) && begun.elapsed() < LIMIT);
    drop(keep);
}

#[test]
fn a_job_that_panics_is_over_at_once_even_if_its_payload_panics_when_dropped() {
    struct Bad;
    impl Drop for Bad {
        fn drop(&mut self) {
            panic!("a bad payload");
        }
    }
    let begun = Instant::now();
    assert!(!run_with_timeout(LIMIT, || std::panic::panic_any(Bad)));
    assert!(begun.elapsed() < LIMIT);
}
