//! Tests of deadlines in real time, on a machine that stands still now and then.
//!
//! The suites of several crates include this file.
#![allow(clippy::print_stdout, reason = "shown for a test that fails")]

use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::mpsc::{RecvTimeoutError, Sender, channel},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// How often a test runs at most.
const ATTEMPTS: u32 = 5;
/// A process that was not run for so long at once may miss a deadline without a fault of its own.
const DISTURBED: Duration = Duration::from_millis(100);
const LOOK: Duration = Duration::from_millis(5);

/// Runs a test whose deadlines are in real time. One that fails runs again if this process was not
/// run for a while meanwhile, since that proves nothing. Without such a while the first failure
/// counts, and a test that fails each time fails everywhere.
pub(crate) fn in_real_time(test: impl Fn()) {
    let run = || catch_unwind(AssertUnwindSafe(&test));
    if let Err(panic) = undisturbed(run, Result::is_ok) {
        resume_unwind(panic);
    }
}

/// Returns the first result that counts in any case, or of a run in which this process was not
/// disturbed; after some attempts the last one.
pub(crate) fn undisturbed<T>(run: impl Fn() -> T, counts: impl Fn(&T) -> bool) -> T {
    for _ in 1..ATTEMPTS {
        let stalls = Stalls::begin();
        let result = run();
        let longest = stalls.longest();
        if counts(&result) || longest < DISTURBED {
            return result;
        }
        println!("it failed, and this process was not run for {longest:?}: again");
    }
    run()
}

/// Measures for how long at once this process is not run.
struct Stalls {
    is_over: Sender<()>,
    looks: JoinHandle<Duration>,
}

impl Stalls {
    fn begin() -> Self {
        let (is_over, over) = channel();
        let looks = thread::spawn(move || {
            let mut longest = Duration::ZERO;
            loop {
                let began = Instant::now();
                let ended = over.recv_timeout(LOOK) != Err(RecvTimeoutError::Timeout);
                longest = longest.max(began.elapsed().saturating_sub(LOOK));
                if ended {
                    return longest;
                }
            }
        });
        Self { is_over, looks }
    }

    fn longest(self) -> Duration {
        drop(self.is_over);
        self.looks.join().unwrap()
    }
}
