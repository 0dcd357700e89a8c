//! Saying something at the end, without the panic that `eprintln!` has for a closed stderr, and without being held up by
//! one that nobody reads.

use std::{
    io::{Write, stderr},
    sync::mpsc::channel,
    thread,
    time::Duration,
};

/// How long the last words may take.
const PATIENCE: Duration = Duration::from_secs(1);

/// Writes one text and a newline to stderr.
pub(crate) fn write(text: &str) {
    // Whatever goes wrong here is nobody's business any more.
    let _ = stderr().lock().write_all(format!("{text}\n").as_bytes());
}

/// Says something on a thread of its own, and waits a second for it at most: a pipe that is full, or a log sink that
/// blocks, does not keep the process.
pub(crate) fn say(words: impl FnOnce() + Send + 'static) {
    let (said, heard) = channel();
    let log = tracing::dispatcher::get_default(Clone::clone);
    let spawned = thread::Builder::new().spawn(move || {
        tracing::dispatcher::with_default(&log, words);
        let _ = said.send(());
    });
    if spawned.is_ok() {
        let _ = heard.recv_timeout(PATIENCE);
    }
}
