//! The last step of a ladder: the end of the process.

use std::{
    io::{Write as _, stderr},
    sync::mpsc::channel,
    thread,
    time::Duration,
};

use crate::{Received, platform::exit_now};

/// How long the exit waits for its line to be written: standard error may be a pipe that nobody reads.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// Ends the process. The line is written by a thread of its own, which may get stuck on the way.
pub(crate) fn leave(received: &Received) -> ! {
    let code = received.signal.exit_code();
    let line = format!(
        "received {received} (number {}): exit with code {code}, without cleanup\n",
        received.count
    );
    let (done, wait) = channel();
    let writer = thread::Builder::new().name("signal-exit".to_owned()).spawn(move || {
        let written = stderr().write_all(line.as_bytes());
        let _ = done.send(written);
    });
    if writer.is_ok() {
        let _ = wait.recv_timeout(LAST_WORDS);
    }
    exit_now(code)
}
