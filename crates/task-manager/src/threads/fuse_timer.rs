//! A fuse: the deadline thread ends the process at its instant.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use task_core::scope::FuseCell;
use task_core::{Fuse, FuseInstant};

use super::deadline_thread;
use super::deadline_thread::Timer;

pub(crate) struct FuseTimer {
    cell: Arc<FuseCell>,
    /// Ends the process.
    exit: Box<dyn Fn() + Send + Sync>,
}

impl FuseTimer {
    /// Arms a fuse, which keeps neither a task nor a group.
    pub(crate) fn start(
        at: FuseInstant,
        exit: impl Fn() + Send + Sync + 'static,
    ) -> io::Result<Fuse> {
        deadline_thread::start()?;
        let (fuse, cell) = Fuse::new(at, deadline_thread::look_again);
        deadline_thread::add_timer(Arc::new(Self { cell, exit: Box::new(exit) }));
        Ok(fuse)
    }
}

impl Timer for FuseTimer {
    /// Read anew at each look: a clock that counts a sleep of the machine outruns the thread's.
    fn next(&self, now: Instant) -> Option<Instant> {
        let wait = self.cell.at()?.wait();
        // A hundred years are a valid fuse, and more than a clock can represent.
        Some(now.checked_add(wait).unwrap_or(now + deadline_thread::LONGEST_SLEEP))
    }

    fn due(self: Arc<Self>) {
        // Between the look and here it may have been moved or disarmed.
        if self.cell.burn() {
            (self.exit)();
        }
    }

    fn over(self: Arc<Self>) {}
}
