//! Which signals this process captures: the one process-wide record of this crate.
//!
//! A handler that signal-hook installed stays installed, and if it has no action left, the signal
//! is swallowed. So the first claim on a signal registers, before everything else, an action that
//! performs the default one while the signal is unclaimed. Several tasks may claim one signal; the
//! last one to release it gives the default action back.
//!
//! Invariant C1: a signal that arrives at any instant is either given to a claim or acts by
//! default. That is why the default action is registered first (handlers run in that order), why a
//! signal counts as claimed only once the claim's own handlers are in place, and as unclaimed
//! before they are removed. A claim that nobody reads any more takes repeats only.

use std::{
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{
    Inbox, default_action,
    disposition::{Disposition, disposition},
    unblocked::Unblocked,
};
use crate::{
    panics::lock,
    values::{AfterEnd, Signal, SignalMap, SignalSet},
};

/// Signals that are kept from their default action while this value lives.
#[derive(Debug)]
pub(crate) struct Claim {
    pub(crate) signals: Vec<Signal>,
    after_end: AfterEnd,
    unblocked: Option<Arc<Unblocked>>,
}

impl Claim {
    /// Claims `wanted`, without those that are ignored and are to stay so, and captures them.
    pub(crate) fn take(
        wanted: &SignalSet,
        stays_ignored: impl Fn(Signal) -> bool,
        after_end: AfterEnd,
    ) -> io::Result<(Self, Inbox)> {
        let mut records = lock(&RECORDS);
        let mut signals = Vec::new();
        for signal in wanted.signals() {
            // Our own handlers hide it later, so what the process inherited is read only once.
            let known = records.get(signal).map(|record| record.before);
            let before = known.unwrap_or_else(|| disposition(signal));
            if before == Disposition::Ignored && stays_ignored(signal) {
                continue;
            }
            if known.is_none() {
                let is_unclaimed = Arc::new(AtomicBool::new(true));
                if before == Disposition::Default {
                    default_action::register(signal, &is_unclaimed)?;
                }
                records.insert(signal, Record { before, claims: 0, is_unclaimed });
            }
            signals.push(signal);
        }
        // Before the capture, since it may be refused.
        let unblocked = Unblocked::start(&signals)?;
        let inbox = Inbox::open(&signals)?;
        for signal in &signals {
            if let Some(record) = records.get_mut(*signal) {
                record.claims += 1;
                record.is_unclaimed.store(false, Ordering::SeqCst);
            }
        }
        unblocked.iter().for_each(Unblocked::begin);
        Ok((Self { signals, after_end, unblocked: unblocked.map(Arc::new) }, inbox))
    }

    /// Returns the signals that the calling thread had blocked, and that are unblocked.
    pub(crate) fn unblocked(&self) -> Vec<Signal> {
        self.unblocked.as_ref().map(|it| it.signals.clone()).unwrap_or_default()
    }

    /// Makes a claim of its own of some of the signals.
    pub(crate) fn split_off(&mut self, is_apart: impl Fn(Signal) -> bool) -> Self {
        let (apart, rest) = self.signals.drain(..).partition(|signal| is_apart(*signal));
        self.signals = rest;
        Self { signals: apart, after_end: self.after_end, unblocked: self.unblocked.clone() }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut records = lock(&RECORDS);
        for signal in &self.signals {
            let Some(record) = records.get_mut(*signal) else { continue };
            record.claims -= 1;
            if record.claims == 0 && self.after_end == AfterEnd::DefaultAction {
                record.is_unclaimed.store(true, Ordering::SeqCst);
            }
        }
    }
}

/// Performs the default action of a signal that was captured and has no task to go to, unless
/// another task has claimed it.
pub(crate) fn act_by_default(signal: Signal) {
    let acts_by_default = lock(&RECORDS).get(signal).is_some_and(|record| {
        record.before == Disposition::Default && record.is_unclaimed.load(Ordering::SeqCst)
    });
    if acts_by_default {
        default_action::perform(signal);
    }
}

static RECORDS: Mutex<SignalMap<Record>> = Mutex::new(SignalMap::new());

/// What is kept of a signal from its first claim on.
struct Record {
    before: Disposition,
    claims: usize,
    is_unclaimed: Arc<AtomicBool>,
}
