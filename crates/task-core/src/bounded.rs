//! Running code that may block, for a bounded time.

use std::{
    io::{Write as _, stderr},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::mpsc::channel,
    thread,
    time::Duration,
};

use crate::panics::discard;

/// Runs `job` on a thread of its own and waits at most `timeout` for its end. Returns whether it
/// ended in time, without a panic.
///
/// It is for the last output of a process: a pipe that is full, or a log sink that blocks, must not
/// keep the process from its exit. A `job` that does not end in time runs on in the background. If
/// the system provides no thread, `job` is dropped without being run.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use task_core::scope::{run_with_timeout, write_stderr};
///
/// let is_written = run_with_timeout(Duration::from_secs(1), || write_stderr("exit with code 4"));
/// # assert!(is_written);
/// ```
pub fn run_with_timeout(timeout: Duration, job: impl FnOnce() + Send + 'static) -> bool {
    let (done, is_done) = channel();
    let spawned = thread::Builder::new().spawn(move || {
        // Caught here: a payload whose drop panics in the thread's own result aborts the process.
        match catch_unwind(AssertUnwindSafe(job)) {
            Ok(()) => drop(done.send(())),
            Err(payload) => discard(payload),
        }
    });
    spawned.is_ok() && is_done.recv_timeout(timeout).is_ok()
}

/// Writes `text` and a newline to stderr in one call. Errors are ignored, where `eprintln!` panics.
pub fn write_stderr(text: &str) {
    let _ = stderr().lock().write_all(format!("{text}\n").as_bytes());
}
