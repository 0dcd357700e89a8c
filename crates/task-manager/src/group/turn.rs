//! One event of a group: the state under the lock, and what is decided there to happen after it.
//!
//! Every event that may advance the machine, or wake something, is a turn: take the lock, change
//! the state, note down in [`Effects`] what is to be done outside, and [`finish`](Turn::finish).
//! There is no supervisor task: the thread that observes an event advances the machine, as far as
//! anything is due, and, after releasing the lock, carries out what that asks for. A thread that
//! blocks there holds up no other. What cannot advance the machine takes the lock directly.
//!
//! The order of what is done outside stands in [`Effects::carry_out`]; log lines follow it. The
//! deadline thread calls the wakers apart.

use std::any::Any;
use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use task_core::scope::{Wakers, discard};
use task_core::{Context, EventKind, Outcome};

use super::{
    Closing, Entry, Event, Garbage, Hook, Managed, Member, OuterLink, Shared, State,
    in_cleanup_span,
};
use crate::lifecycle::{Tick, Trigger};
use crate::report::CauseKind;
use crate::sync::{MutexGuard, thread_local};
use crate::threads::{CallerRuntime, Times};

/// One event. Dropped unfinished, it releases the lock and loses what was noted down.
#[must_use = "`finish` it, or what it decided is lost"]
pub(crate) struct Turn<'a> {
    pub(crate) group: &'a Arc<Shared>,
    pub(crate) state: MutexGuard<'a, State>,
    caller: CallerRuntime,
    now: Option<Tick>,
    pub(crate) effects: Effects,
}

/// What is to be done once the lock is released. Empty, as for nearly every end of a task, it
/// allocates nothing.
#[derive(Default)]
pub(crate) struct Effects {
    pub(crate) wakers: Wakers,
    pub(crate) aborts: Vec<Arc<Entry>>,
    pub(crate) cleanups: Vec<(Arc<Entry>, Hook)>,
    pub(crate) outer: Option<OuterLink>,
    pub(crate) closing: Option<Box<Closing>>,
    garbage: Vec<Garbage>,
    /// Whether the event queued log lines.
    pub(crate) has_lines: bool,
    has_new_deadlines: bool,
}

impl Shared {
    /// Begins an event: takes the lock.
    pub(crate) fn turn(self: &Arc<Self>) -> Turn<'_> {
        self.turn_from(CallerRuntime::Other)
    }

    /// As [`turn`](Self::turn), for a caller that may know that it is in the manager's runtime.
    pub(crate) fn turn_from(self: &Arc<Self>, caller: CallerRuntime) -> Turn<'_> {
        self.look_at_aborted_children();
        let state = self.lock();
        Turn { group: self, state, caller, now: None, effects: Effects::default() }
    }
}

impl Turn<'_> {
    /// Returns the time of this event. It is read once and under the lock, so that the order of the
    /// times is the order of the events; and only if asked for, since it is a good part of what an
    /// event costs.
    pub(crate) fn now(&mut self) -> Tick {
        *self.now.get_or_insert_with(|| self.group.now_from(self.caller))
    }

    /// Does the bookkeeping of an end; see [`State::settle`].
    pub(crate) fn settle(&mut self, member: &Member, outcome: Outcome) {
        let Self { group, state, caller, now, .. } = self;
        state.settle(member, outcome, || *now.get_or_insert_with(|| group.now_from(*caller)));
    }

    #[inline]
    pub(crate) fn wake(&mut self, wakers: Wakers) {
        // Nearly always empty: nothing waits for the end of one task.
        if !wakers.is_empty() {
            self.effects.wakers.append(wakers);
        }
    }

    /// Queues a log line, and notes the event in the journal unless it is a frequent one.
    pub(crate) fn log(&mut self, event: Event) {
        if let Some((kind, text)) = event.note() {
            self.note(kind, text, !matches!(event, Event::Aborting(_)));
        }
        self.state.log(event);
    }

    /// Notes an event in the journal, with whether it follows from failures.
    pub(crate) fn note(&mut self, kind: EventKind, text: String, follows_failures: bool) {
        let now = self.now();
        let oldest = self.state.journal.add(now, kind, text, follows_failures);
        self.state.garbage.extend(oldest);
    }

    /// Updates whether the group was ever ready.
    pub(crate) fn update_started(&mut self) {
        let had_started = self.state.gates.has_started;
        self.state.update_started();
        if self.state.gates.has_started && !had_started {
            self.note(EventKind::GroupReady, String::from("ready"), false);
        }
    }

    pub(crate) fn discard(&mut self, garbage: impl Any + Send) {
        self.state.garbage.push(Box::new(garbage));
    }

    /// Begins the shutdown, or records what would have. `limit` is what an outer group has left.
    pub(crate) fn trigger(&mut self, kind: CauseKind, trigger: Trigger, limit: Option<Duration>) {
        let now = self.now();
        let is_first = self.state.machine.trigger(now, trigger, limit);
        self.state.record.trigger(kind.clone(), now);
        if is_first {
            self.log(Event::Triggered(kind));
        }
    }

    /// Ends an event that makes nothing due: releases the lock, and carries out what was noted
    /// down.
    #[inline]
    pub(crate) fn release(self) {
        let group = self.group;
        // Nearly always: only `advance` notes down more. To move what is empty would cost more than
        // the end itself.
        let (wakers, state) = (&self.effects.wakers, &self.state);
        if wakers.is_empty() && !state.lines.is_queued() && state.garbage.is_empty() {
            drop(self.state);
            return group.changed();
        }
        let mut effects = self.unlock();
        let has_lines = effects.has_lines;
        effects.wakers.append(group.version.bump_quietly());
        effects.carry_out(group);
        if has_lines {
            group.write_log();
        }
    }

    /// Ends the event: takes all steps of the machine that are due, releases the lock, carries out
    /// what was noted down, and so on until nothing is due. Log lines come last of all, since a
    /// sink may block.
    pub(crate) fn finish(self) {
        let group = self.group;
        if self.run() {
            group.write_log();
        }
    }

    /// Takes all steps that are due, and releases the lock. The caller carries out what is
    /// returned.
    pub(crate) fn decide(mut self) -> Effects {
        if self.group.alarm.clock.get().is_some() && self.advance() {
            self.effects.wakers.append(self.group.version.bump_quietly());
        }
        self.unlock()
    }

    /// Advances until nothing is due, and returns whether log lines are to be written.
    #[must_use = "write the log"]
    pub(crate) fn run(self) -> bool {
        let group = self.group;
        let driving = Driving::begin(group);
        // Unbound: `bind` comes back. Re-entered: the call further up this stack goes on, unless
        // what it runs blocks.
        let may_advance = self.group.alarm.clock.get().is_some() && !driving.is_reentered;
        let mut turn = self;
        if driving.is_reentered && !turn.state.machine.is_waiting() {
            // Foreign code that the outer call runs may block next. The deadline thread goes on.
            let times = Times { next: Some(turn.now()), ..turn.times() };
            turn.set_times(times);
        }
        let mut has_lines = false;
        let mut is_first = true;
        loop {
            let has_advanced = may_advance && turn.advance();
            if !has_advanced && !is_first {
                return has_lines;
            }
            is_first = false;
            let mut effects = turn.unlock();
            has_lines |= effects.has_lines;
            effects.wakers.append(group.version.bump_quietly());
            effects.carry_out(group);
            // What was carried out may have made something due.
            turn = group.turn();
        }
    }

    /// Takes all steps that are due, and updates the deadlines. Returns whether anything changed.
    fn advance(&mut self) -> bool {
        let now = self.now();
        let mut has_advanced = false;
        while let Some(action) = self.state.machine.advance(now) {
            self.apply(action, now);
            has_advanced = true;
        }
        self.set_times(self.times()) || has_advanced
    }

    /// Sets the alarm, and returns whether that changes it.
    fn set_times(&mut self, times: Times) -> bool {
        let has_changed = self.state.times != times;
        if has_changed {
            self.state.times = times;
            self.group.alarm.set(times);
            self.effects.has_new_deadlines = true;
        }
        has_changed
    }

    /// Releases the lock.
    fn unlock(mut self) -> Effects {
        self.effects.garbage = std::mem::take(&mut self.state.garbage);
        self.effects.has_lines = self.state.lines.end_event();
        self.effects
    }
}

impl Effects {
    /// Does what was noted down, without the lock. Deadlines come first, so that the deadline
    /// thread keeps them even if something below blocks. Wakers come before the drop of the user's
    /// values. A waker that panics keeps no other from being called; one
    /// that blocks holds up those behind it.
    pub(crate) fn carry_out(self, group: &Arc<Shared>) {
        let Self {
            wakers,
            aborts,
            cleanups,
            outer,
            closing,
            garbage,
            has_lines: _,
            has_new_deadlines,
        } = self;
        if has_new_deadlines {
            group.publish_deadlines();
        }
        for entry in aborts {
            entry.abort_all();
        }
        for (entry, hook) in cleanups {
            let Some(clock) = group.alarm.clock.get() else { break };
            let ctx = Context::new(entry.clone());
            let future = in_cleanup_span(Arc::clone(&entry), async move { (hook.run)(ctx).await });
            let join = clock.handle.spawn(Managed::new(Arc::clone(&entry), future));
            entry.set_join_handle(join);
        }
        if let Some(closing) = closing {
            closing.start(group);
        }
        // The hold on the outer task is released before the wakers, so that the task finds none. An
        // orphan keeps it until its failures are recorded.
        let orphan = outer.filter(|outer| outer.is_orphan);
        wakers.wake();
        if let Some(orphan) = orphan {
            orphan.record(group);
        }
        garbage.into_iter().for_each(discard);
    }
}

thread_local! {
    /// The group that this thread advances, as an address.
    static DRIVING: Cell<usize> = const { Cell::new(0) };
}

/// Marks that this thread advances a group. A spawn on a dead runtime, for one, ends the new task
/// in place: that event leaves the next step to the outer call, or the stack would grow with every
/// cleanup.
struct Driving {
    before: usize,
    is_reentered: bool,
}

impl Driving {
    fn begin(group: &Arc<Shared>) -> Self {
        let address = Arc::as_ptr(group) as usize;
        let before = DRIVING.try_with(|driving| driving.replace(address)).unwrap_or(0);
        Self { before, is_reentered: before == address }
    }
}

impl Drop for Driving {
    fn drop(&mut self) {
        let _ = DRIVING.try_with(|driving| driving.set(self.before));
    }
}
