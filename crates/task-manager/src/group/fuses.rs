//! The fuses of a group's tasks, which end the process.

use std::sync::{Arc, Weak};
use std::time::Duration;

use task_core::scope::{guarded_name, guarded_text, reserve_threads};
use task_core::{Fuse, FuseInstant};

use super::overdue::{EXIT_THREADS, exit, living_names};
use super::{Entry, Shared};
use crate::rt::HAS_OWN_THREADS;
use crate::sync::lock;
use crate::threads::FuseTimer;

/// How long the exit handlers of the C library may take. Shorter than at a hard exit: the instant
/// of a fuse is one that counts.
const EXIT_HANDLERS_TIMEOUT: Duration = Duration::from_millis(250);

impl Shared {
    /// Arms a fuse, if the manager may end the process.
    pub(crate) fn arm_fuse(
        self: &Arc<Self>,
        entry: &Entry,
        at: FuseInstant,
        code: u8,
        text: &str,
    ) -> Option<Fuse> {
        if !HAS_OWN_THREADS || !self.may_exit() {
            return None;
        }
        reserve_threads(EXIT_THREADS).ok()?;
        let (name, text) = (guarded_name(&entry.name), guarded_text(text));
        let line =
            format!("{}: task `{name}`: {text}: exit with code {code}", guarded_name(&self.name));
        let group = Arc::downgrade(self);
        FuseTimer::start(at, move || burn(&group, &line, code)).ok()
    }

    /// Returns whether this manager, or one that it is nested in, has a hard exit.
    fn may_exit(&self) -> bool {
        let outer = || lock(&self.outer).as_ref().and_then(super::OuterLink::group);
        self.settings.hard_exit.is_some() || outer().is_some_and(|outer| outer.may_exit())
    }
}

/// Ends the process.
fn burn(group: &Weak<Shared>, line: &str, code: u8) {
    let group = group.upgrade();
    let line = line.to_string();
    let write = move || {
        let alive = group.as_ref().map_or_else(|| "none".into(), living_names);
        (format!("{line}; alive: {alive}"), None)
    };
    exit(code, EXIT_HANDLERS_TIMEOUT, write);
}
