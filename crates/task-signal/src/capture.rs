//! What the two kinds of tasks share: the settings of a capture, and the capture itself.

pub(crate) mod custody;
mod end_watch;
mod guard;
mod lease;

use std::{borrow::Cow, sync::Arc, time::Duration};

use task_core::Context;

use self::end_watch::EndWatch;
pub use self::guard::CaptureGuard;
pub(crate) use self::lease::Lease;
use crate::{
    log::Inherited,
    platform::{Claim, Inbox},
    values::{AfterEnd, ErrorKind, IgnoredSignals, LogLevel, Signal, SignalSet},
};

/// The settings that both builders have.
#[derive(Debug, Default)]
pub(crate) struct Settings {
    pub(crate) name: Cow<'static, str>,
    pub(crate) signals: SignalSet,
    pub(crate) ignored: IgnoredSignals,
    /// Those that are captured whatever the process inherited.
    pub(crate) required: SignalSet,
    pub(crate) after_end: AfterEnd,
    pub(crate) log_level: LogLevel,
    /// For how long a signal that follows one of its kind is a repeat.
    pub(crate) repeat_window: Duration,
}

impl Settings {
    /// Checks the signals.
    pub(crate) fn check(&self) -> Result<(), ErrorKind> {
        if self.signals.is_empty() {
            return Err(ErrorKind::NoSignals);
        }
        self.signals.signals().try_for_each(|signal| signal.check())
    }

    /// Checks the signals and captures them. Those that wait for a task are in the inbox.
    pub(crate) fn capture(self) -> Result<(Capture, Inbox), ErrorKind> {
        self.check()?;
        let Self { name, signals, ignored, required, after_end, log_level, repeat_window } = self;
        let stays_ignored = |signal| ignored == IgnoredSignals::Keep && !required.contains(signal);
        let (claim, mut inbox) =
            Claim::take(&signals, stays_ignored, after_end).map_err(ErrorKind::Refused)?;
        let captured = claim.signals.clone();
        let ignored = signals.signals().filter(|signal| !captured.contains(signal)).collect();
        let inherited = Inherited { ignored, unblocked: claim.unblocked() };
        let lease = Lease::new(claim, inbox.closer(), repeat_window);
        inbox.begin_with(custody::begin(&captured));
        let (signals, unread, has_group) = (captured, None, false);
        let capture = Capture { name, signals, inherited, log_level, lease, unread, has_group };
        Ok((capture, inbox))
    }
}

/// Captured signals, as the task holds them.
///
/// Dropping it ends the lease, unless the task has a group: then that ends when the group does.
#[derive(Debug)]
pub(crate) struct Capture {
    pub(crate) name: Cow<'static, str>,
    pub(crate) signals: Vec<Signal>,
    /// What the log says of the process that started this one, once.
    pub(crate) inherited: Inherited,
    pub(crate) log_level: LogLevel,
    pub(crate) lease: Arc<Lease>,
    /// The inbox of a trigger.
    pub(crate) unread: Option<Inbox>,
    has_group: bool,
}

impl Capture {
    /// Keeps the signals captured until the group of `context` has ended, now that the task has
    /// one. Blocks nothing.
    pub(crate) fn serve(&mut self, context: &Context) {
        let names: Vec<_> = self.signals.iter().map(|signal| signal.name()).collect();
        context.set_status(match names.as_slice() {
            [] => "all signals are ignored".to_owned(),
            names => format!("waiting for {}", names.join(", ")),
        });
        // A group that never started a task is the scope of a test, which makes no report.
        self.has_group = context.group().snapshot().totals.started > 0;
        if self.has_group {
            EndWatch::start(context.clone(), Arc::clone(&self.lease));
        }
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        let mut unread = self.unread.take();
        if !self.has_group {
            custody::end(&self.lease);
            // Only now do they act by default, and those that arrive from now on by themselves.
            let arrived = unread.as_mut().map(Inbox::take).unwrap_or_default();
            arrived.signals().for_each(|signal| custody::keep(&self.lease, signal, None));
        }
        if let Some(inbox) = unread {
            self.lease.park(inbox);
        }
    }
}
