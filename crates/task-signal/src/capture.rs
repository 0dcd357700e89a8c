//! What the two kinds of tasks share: the settings of a capture, and the capture itself.

mod lease;

use std::{borrow::Cow, collections::BTreeSet, sync::Arc};

use task_core::Context;

use self::lease::EndWatch;
pub(crate) use self::lease::Lease;
use crate::{
    log,
    platform::{Claim, Inbox, act_by_default},
    values::{AfterEnd, ErrorKind, IgnoredSignals, LogLevel, Signal},
};

/// The settings that both builders have.
#[derive(Debug, Default)]
pub(crate) struct Settings {
    pub(crate) name: Cow<'static, str>,
    pub(crate) signals: BTreeSet<Signal>,
    pub(crate) ignored: IgnoredSignals,
    pub(crate) after_end: AfterEnd,
    pub(crate) log_level: LogLevel,
}

impl Settings {
    /// Checks the signals.
    pub(crate) fn check(&self) -> Result<(), ErrorKind> {
        if self.signals.is_empty() {
            return Err(ErrorKind::NoSignals);
        }
        self.signals.iter().try_for_each(|signal| signal.check())
    }

    /// Checks the signals and captures them.
    pub(crate) fn capture(self) -> Result<(Capture, Inbox), ErrorKind> {
        self.check()?;
        let Self { name, signals, ignored, after_end, log_level } = self;
        let (claim, inbox) =
            Claim::take(&signals, ignored, after_end).map_err(ErrorKind::Refused)?;
        let captured = claim.signals.clone();
        let ignored = signals.into_iter().filter(|signal| !captured.contains(signal)).collect();
        let lease = Lease::new(claim, inbox.closer());
        let (signals, unread, has_group) = (captured, None, false);
        let capture = Capture { name, signals, ignored, log_level, lease, unread, has_group };
        Ok((capture, inbox))
    }
}

/// Captured signals, as the task holds them.
///
/// Dropping it releases the signals, unless the task runs in a group: then they are released when
/// the group has ended.
#[derive(Debug)]
pub(crate) struct Capture {
    pub(crate) name: Cow<'static, str>,
    pub(crate) signals: Vec<Signal>,
    ignored: Vec<Signal>,
    pub(crate) log_level: LogLevel,
    pub(crate) lease: Arc<Lease>,
    /// The inbox of a trigger, until it runs.
    pub(crate) unread: Option<Inbox>,
    has_group: bool,
}

impl Capture {
    /// Keeps the signals captured until the group of `context` has ended, now that the task runs.
    pub(crate) fn serve(&mut self, context: &Context) {
        log::ignored(self.log_level, &self.ignored);
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
        if !self.has_group {
            self.lease.end();
            // Only now do they act by default, and those that arrive from now on by themselves.
            let unread = self.unread.as_mut().map(Inbox::take);
            unread.into_iter().flatten().for_each(act_by_default);
        }
    }
}
