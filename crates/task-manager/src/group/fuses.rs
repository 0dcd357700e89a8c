//! The fuses of a group's tasks, which end the process.

use std::path::Path;
use std::process;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use task_core::scope::{
    guarded_name, guarded_text, reserve_threads, run_aside, run_with_timeout, write_ending_message,
    write_stderr,
};
use task_core::{Fuse, FuseInstant};

use super::{EXIT_THREADS, Entry, OuterLink, Settings, Shared, add_living_names};
use crate::rt::HAS_OWN_THREADS;
use crate::sync::lock;
use crate::threads::FuseTimer;

/// How long the line on stderr and the message in a file may take, and then the exit handlers of
/// the C library: less than at a hard exit, since the instant of a fuse is one that counts.
const STDERR_TIMEOUT: Duration = Duration::from_millis(200);
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
        if !HAS_OWN_THREADS || self.outward(|settings| settings.hard_exit).is_none() {
            return None;
        }
        let file = self.outward(|settings| settings.termination_log.clone());
        reserve_threads(EXIT_THREADS + usize::from(file.is_some())).ok()?;
        let (name, text) = (guarded_name(&entry.name), guarded_text(text));
        let line =
            format!("{}: task `{name}`: {text}: exit with code {code}", guarded_name(&self.name));
        let group = Arc::downgrade(self);
        FuseTimer::start(at, move || burn(&group, file.clone(), &line, code)).ok()
    }

    /// Returns a setting of this manager, or else of the innermost that it is nested in and that
    /// has it.
    fn outward<T>(&self, setting: fn(&Settings) -> Option<T>) -> Option<T> {
        let outer = || lock(&self.outer).as_ref().and_then(OuterLink::group);
        setting(&self.settings).or_else(|| outer()?.outward(setting))
    }
}

/// Ends the process, with a line on stderr, unless that blocks; by an abort, should the exit
/// handlers block as well.
fn burn(group: &Weak<Shared>, file: Option<Arc<Path>>, line: &str, code: u8) {
    let (group, line) = (group.upgrade(), line.to_string());
    let output_end = Instant::now() + STDERR_TIMEOUT;
    let message = file.and_then(|path| {
        let text = format!("exit code {code}, cause: a fuse\n{line}");
        run_aside(move || drop(write_ending_message(&path, text))).ok()
    });
    run_with_timeout(STDERR_TIMEOUT, move || {
        let mut names = Vec::new();
        if let Some(group) = &group {
            add_living_names(&mut names, group, "");
        }
        let alive = if names.is_empty() { "none".into() } else { names.join(", ") };
        write_stderr(&format!("{line}; alive: {alive}"));
    });
    if let Some(message) = message {
        message.wait(output_end.saturating_duration_since(Instant::now()));
    }
    run_with_timeout(EXIT_HANDLERS_TIMEOUT, move || process::exit(code.into()));
    process::abort();
}
