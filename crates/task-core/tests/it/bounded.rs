//! Running code that may block, for a bounded time.

use std::{
    sync::{Mutex, PoisonError, mpsc},
    thread::{self, ThreadId},
    time::{Duration, Instant},
};

use task_core::scope::{reserve_threads, run_aside, run_with_timeout};

/// The threads that stand by are the process's.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Far beyond what anything here takes.
const LIMIT: Duration = Duration::from_secs(20);

#[test]
fn a_job_that_ends_in_time_has_run_when_the_call_returns() {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let (done, is_done) = mpsc::channel();
    assert!(run_with_timeout(LIMIT, move || done.send(7).unwrap()));
    assert_eq!(is_done.try_recv(), Ok(7));
}

#[test]
fn a_job_that_blocks_is_left_behind_at_the_timeout() {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
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
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let begun = Instant::now();
    assert!(!run_with_timeout(LIMIT, || std::panic::panic_any(Bad)));
    assert!(begun.elapsed() < LIMIT);
}

/// Returns the threads on which `count` jobs run that are under way at the same time.
fn threads_of(count: usize) -> Vec<ThreadId> {
    let (sender, ids) = mpsc::channel();
    let release = mpsc::channel::<()>();
    let gate = std::sync::Arc::new(Mutex::new(release.1));
    let jobs: Vec<_> = (0..count)
        .map(|_| {
            let (sender, gate) = (sender.clone(), std::sync::Arc::clone(&gate));
            run_aside(move || {
                sender.send(thread::current().id()).unwrap();
                let _ = gate.lock().unwrap_or_else(PoisonError::into_inner).recv();
            })
        })
        .collect();
    let ids = (0..count).map(|_| ids.recv_timeout(LIMIT).unwrap()).collect();
    drop(release.0);
    assert!(jobs.into_iter().all(|job| job.is_ok_and(|job| job.wait(LIMIT))));
    ids
}

/// What an exit path needs exists before it is needed.
#[test]
fn jobs_run_on_the_reserved_threads_and_again_on_them() {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    reserve_threads(2).unwrap();
    // Not at once: the thread of a job that another test has left behind may come back meanwhile.
    let again = (0..20).find_map(|_| {
        let (before, after) = (threads_of(2), threads_of(2));
        assert_ne!(before[0], before[1]);
        after.iter().all(|id| before.contains(id)).then_some(before)
    });
    let before = again.expect("no thread is used again");
    // With the two at work, a third job gets a new thread.
    assert!(threads_of(3).iter().any(|id| !before.contains(id)));
}
