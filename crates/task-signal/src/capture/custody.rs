//! Who serves which signal, and what waits for the next task: the process-wide record of leases.
//!
//! Its lock is taken before that of a lease, and that before the record of claims.

use std::{
    mem,
    sync::{Arc, Mutex},
    time::Instant,
};

use super::Lease;
use crate::{
    panics::lock,
    platform::{act_by_default, send_again},
    values::{Signal, SignalMap, SignalSet},
};

/// A signal that a group did not get, with its sender.
pub(crate) type Waiting = (Signal, Option<u32>);

/// Begins to serve signals that were captured just now. Takes over those that ended leases still
/// hold, and returns what waits for a task.
pub(crate) fn begin(signals: &[Signal]) -> Vec<Waiting> {
    let mut custody = lock(&CUSTODY);
    let Custody { serving, seen, retired, waiting, .. } = &mut *custody;
    for signal in signals {
        *serving.get_or_insert(*signal, 0) += 1;
        seen.remove(*signal);
    }
    retired.retain(|lease| lease.hand_over(signals, waiting));
    signals.iter().filter_map(|signal| Some((*signal, waiting.remove(*signal)?))).collect()
}

/// Ends a lease, now that its group has ended or will not have the task. Without a guard its
/// signals are released when this returns, also to a second caller.
pub(crate) fn end(lease: &Arc<Lease>) {
    let mut custody = lock(&CUSTODY);
    let Custody { guards, serving, retired, served_at, .. } = &mut *custody;
    let Some(signals) = lease.serves() else { return };
    for signal in signals {
        if let Some(count) = serving.get_mut(signal) {
            *count -= 1;
        }
    }
    // What another task serves is left to that one.
    let is_ours = |signal| serving.get(signal).is_none_or(|count| *count == 0);
    if *guards > 0 && lease.retire(is_ours) {
        retired.push(Arc::clone(lease));
    } else {
        lease.release(served_at);
    }
}

/// Records which signals a task has read, unless its lease has ended.
pub(crate) fn see(lease: &Lease, signals: &[Waiting]) {
    let mut custody = lock(&CUSTODY);
    if !lease.has_ended() {
        custody.seen.extend(signals.iter().map(|(signal, _)| *signal));
    }
}

/// Decides about a signal that was read after the lease had ended.
pub(crate) fn keep(lease: &Lease, signal: Signal, sender: Option<u32>) {
    let mut custody = lock(&CUSTODY);
    let late = lease.judge(signal);
    if late == Late::Waits {
        custody.waiting.get_or_insert(signal, sender);
    }
    // If the other task has not, then either it did not get the signal, or that is in its inbox,
    // where two of a kind are one.
    let is_seen = !custody.seen.add(signal);
    drop(custody);
    match late {
        Late::WasTakenOver if !is_seen => send_again(signal),
        Late::Waits | Late::IsServed | Late::WasTakenOver => {}
        Late::WasReleased => act_by_default(signal),
    }
}

/// Records that a signal counted for a group, so that repeats of it are known after the group.
pub(crate) fn count(signal: Signal, now: Instant) {
    lock(&CUSTODY).served_at.insert(signal, now);
}

/// Returns when a signal counted for a group last.
pub(crate) fn counted_at(signal: Signal) -> Option<Instant> {
    lock(&CUSTODY).served_at.get(signal).copied()
}

/// What becomes of a signal that is read after its lease has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Late {
    /// It waits for the next task that captures it.
    Waits,
    /// Another task has it as well.
    IsServed,
    /// It arrived just before another task captured it, or just after.
    WasTakenOver,
    WasReleased,
}

/// Counts a guard.
pub(super) fn add_guard() {
    lock(&CUSTODY).guards += 1;
}

/// Removes a guard. The last one releases what ended leases hold, and what waits acts by default.
pub(super) fn remove_guard() {
    let mut custody = lock(&CUSTODY);
    let Custody { guards, retired, waiting, served_at, .. } = &mut *custody;
    *guards -= 1;
    if *guards > 0 {
        return;
    }
    retired.drain(..).for_each(|lease| lease.release(served_at));
    let waiting = mem::take(waiting);
    drop(custody);
    waiting.signals().for_each(act_by_default);
}

static CUSTODY: Mutex<Custody> = Mutex::new(Custody {
    guards: 0,
    serving: SignalMap::new(),
    seen: SignalSet::new(),
    retired: Vec::new(),
    waiting: SignalMap::new(),
    served_at: SignalMap::new(),
});

/// Each map has at most one entry per signal. A lease is retired with signals that nobody else
/// serves, and no two hold the same signal, so there are no more of them than signals.
struct Custody {
    guards: usize,
    /// How many tasks serve a signal: their groups have not ended.
    serving: SignalMap<usize>,
    /// Signals that a task has read, or was sent again, since the last task captured them.
    seen: SignalSet,
    retired: Vec<Arc<Lease>>,
    /// Signals that arrived after their group, with their senders.
    waiting: SignalMap<Option<u32>>,
    served_at: SignalMap<Instant>,
}
