//! Throw-away threads, for what may block and must not block the reader.

use std::{io, sync::mpsc::channel, thread, time::Duration};

use task_core::scope::{run_with_timeout, write_stderr};

use crate::{platform::exit_now, values::Received};

/// How long the caller waits for a job before it continues without it.
const JOB_TIMEOUT: Duration = Duration::from_millis(100);

/// Runs `job` on a thread of its own and waits for its end, for at most [`JOB_TIMEOUT`].
///
/// The wait keeps jobs in order as long as none of them blocks.
///
/// # Errors
///
/// The thread could not be started. The job has not run then.
pub(super) fn run(name: &str, job: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let (running, ended) = channel::<()>();
    thread::Builder::new().name(name.to_owned()).spawn(move || {
        job();
        drop(running);
    })?;
    // Disconnected if the job has returned or panicked, and otherwise timed out.
    let _ = ended.recv_timeout(JOB_TIMEOUT);
    Ok(())
}

/// Ends the process, after one line on standard error, which may be a pipe that is full and that
/// nothing reads.
pub(super) fn force_exit(received: &Received) -> ! {
    let (count, code) = (received.count, received.signal.exit_code());
    let line =
        format!("received {received} (number {count}): exit with code {code}, without cleanup");
    // Without a thread there is no line: writing it here could block.
    run_with_timeout(JOB_TIMEOUT, move || write_stderr(&line));
    exit_now(code)
}
