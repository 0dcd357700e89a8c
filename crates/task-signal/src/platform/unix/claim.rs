//! Who wants which signals: the one process-wide record of this crate.
//!
//! A handler that signal-hook installed stays installed, and with no action left in it the signal is swallowed. So the
//! first claim on a signal registers, before everything else, an action that plays the default one while `UNCLAIMED`
//! says so. Several tasks may claim one signal; the last to let go gives the default action back.
//!
//! Invariant C1: a signal that comes at any instant is either given to a claim or acts by default. That is why the
//! default action is registered first (handlers run in that order), why `UNCLAIMED` is cleared only when the claim's
//! own handlers are in place, and why it is set before they are taken away.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    io,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{
    default_action,
    disposition::{Disposition, disposition},
};
use crate::{AfterEnd, IgnoredSignals, Signal};

/// Signals that are kept from their default action while this lives.
#[derive(Debug)]
pub(crate) struct Claim {
    signals: Vec<Signal>,
    after_end: AfterEnd,
}

impl Claim {
    /// Claims `wanted`, without those that are to stay ignored, and has `register` capture them.
    pub(crate) fn take<T>(
        wanted: &[Signal],
        ignored: IgnoredSignals,
        after_end: AfterEnd,
        register: impl FnOnce(&[Signal]) -> io::Result<T>,
    ) -> io::Result<(Self, T)> {
        let mut records = records();
        let mut signals = Vec::with_capacity(wanted.len());
        for &signal in wanted {
            let stays_ignored =
                |before| before == Disposition::Ignored && ignored == IgnoredSignals::Keep;
            match records.entry(signal) {
                Entry::Occupied(record) if stays_ignored(record.get().before) => continue,
                Entry::Occupied(_) => {}
                Entry::Vacant(vacant) => {
                    let before = disposition(signal);
                    if stays_ignored(before) {
                        continue;
                    }
                    if before == Disposition::Default {
                        default_action::register(signal, unclaimed(signal))?;
                    }
                    vacant.insert(Record { before, claims: 0 });
                }
            }
            signals.push(signal);
        }
        let registered = register(&signals)?;
        for signal in &signals {
            if let Some(record) = records.get_mut(signal) {
                record.claims += 1;
            }
            unclaimed(*signal).store(false, Ordering::SeqCst);
        }
        Ok((Self { signals, after_end }, registered))
    }

    /// Returns the claimed ones.
    pub(crate) fn signals(&self) -> &[Signal] {
        &self.signals
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut records = records();
        for signal in &self.signals {
            let Some(record) = records.get_mut(signal) else { continue };
            record.claims -= 1;
            let is_ours = record.before == Disposition::Default;
            if record.claims == 0 && is_ours && self.after_end == AfterEnd::DefaultAction {
                unclaimed(*signal).store(true, Ordering::SeqCst);
            }
        }
    }
}

/// Does what the signal does by default, unless somebody still wants it: for one that was captured and then had
/// nobody to go to.
pub(crate) fn act_by_default(signal: Signal) {
    let was_ours =
        records().get(&signal).is_some_and(|record| record.before == Disposition::Default);
    if was_ours && unclaimed(signal).load(Ordering::SeqCst) {
        default_action::play(signal);
    }
}

/// Numbers are at most 128, which is also what signal-hook goes up to.
static UNCLAIMED: [AtomicBool; 129] = [const { AtomicBool::new(true) }; 129];

static RECORDS: Mutex<BTreeMap<Signal, Record>> = Mutex::new(BTreeMap::new());

/// What is remembered of a signal from its first claim on.
struct Record {
    before: Disposition,
    claims: usize,
}

fn records() -> MutexGuard<'static, BTreeMap<Signal, Record>> {
    RECORDS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn unclaimed(signal: Signal) -> &'static AtomicBool {
    let index = usize::try_from(signal.number()).unwrap_or(0);
    UNCLAIMED.get(index).unwrap_or(&UNCLAIMED[0])
}
