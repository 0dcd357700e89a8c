//! The code that sets a service up, as a member of its group.

use std::fmt;
use std::sync::Arc;

use task_core::{Context, Outcome};

use crate::group::Entry;
use crate::report::End;
use crate::threads::CallerRuntime;

/// The code that sets a service up, as a member of its group. Returned by
/// [`Manager::begin_setup`](crate::Manager::begin_setup).
///
/// Dropping it says that the setup has ended, and that what it used is gone. If the setup was asked
/// to end before, that is its end: cancelled, or aborted if its deadline had passed.
#[must_use = "the setup ends when this is dropped"]
pub struct Setup {
    entry: Arc<Entry>,
    has_failed: bool,
}

impl Setup {
    pub(crate) fn new(entry: Arc<Entry>) -> Self {
        Self { entry, has_failed: false }
    }

    /// Returns the context of the setup, which is cancelled when the setup is to end.
    pub fn context(&self) -> Context {
        Context::new(Arc::clone(&self.entry) as _)
    }

    /// Stops the group because the setup has failed, as
    /// [`Manager::setup_failed`](crate::Manager::setup_failed) does. The setup goes on until it is
    /// dropped.
    pub fn failed(&mut self, error: impl Into<anyhow::Error>) {
        self.has_failed = true;
        self.entry.shared.setup_failed(error.into());
    }
}

impl Drop for Setup {
    fn drop(&mut self) {
        let end = if self.has_failed {
            End::Recorded(Outcome::Failed)
        } else if self.entry.is_abort_asked() {
            End::Aborted
        } else if self.context().is_cancelled() {
            End::Cancelled
        } else {
            End::Completed
        };
        self.entry.future_ended(end, CallerRuntime::Other);
    }
}

impl fmt::Debug for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Setup").field(&self.entry).finish()
    }
}
