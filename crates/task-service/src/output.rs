//! The last output of a service: what it writes before it returns from `main`.

use std::time::Duration;

use task_core::scope::run_with_timeout;
use tracing::dispatcher::{get_default, with_default};

/// How long the service waits for its last output. A pipe that is full or a log sink that blocks
/// does not keep the process beyond that.
const OUTPUT_TIMEOUT: Duration = Duration::from_secs(1);

/// Runs `write` on a thread of its own, with the caller's log, and waits for it for at most
/// [`OUTPUT_TIMEOUT`].
pub(crate) fn write_bounded(write: impl FnOnce() + Send + 'static) {
    let log = get_default(Clone::clone);
    run_with_timeout(OUTPUT_TIMEOUT, move || with_default(&log, write));
}
