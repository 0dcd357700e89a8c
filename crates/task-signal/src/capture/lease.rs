//! How long the signals of one task stay captured, and what is left of them afterwards.

use std::{
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use super::custody::Late;
use crate::{
    panics::lock,
    platform::{Claim, Closer, Inbox},
    values::{Signal, SignalMap},
};

/// The longest time for which a repeat is recognized once its signal would have been released.
const MOST_LINGERING: Duration = Duration::from_secs(1);

/// Captured signals, from the task's constructor until they are released.
#[derive(Debug)]
pub(crate) struct Lease {
    /// For how long a repeat of a signal that counted is held back.
    repeat_window: Duration,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    /// The group has not ended.
    Serving(Held),
    /// The group has ended, and a guard lives.
    Retired(Held),
    Released {
        /// Signals of which repeats may come until then. They are claimed, and nobody reads them.
        repeats: Option<(Claim, Instant)>,
        /// Whether other tasks serve all of the signals now.
        is_taken_over: bool,
    },
}

/// The claim is dropped first, so that signals act by default before their inbox is closed.
#[derive(Debug)]
struct Held {
    claim: Claim,
    closer: Closer,
    /// The inbox of a trigger that has ended.
    unread: Option<Inbox>,
}

impl Lease {
    pub(super) fn new(claim: Claim, closer: Closer, repeat_window: Duration) -> Arc<Self> {
        let state = Mutex::new(State::Serving(Held { claim, closer, unread: None }));
        Arc::new(Self { repeat_window, state })
    }

    /// Returns whether the lease has ended.
    pub(crate) fn has_ended(&self) -> bool {
        match &*lock(&self.state) {
            State::Serving(_) => false,
            State::Retired(_) | State::Released { .. } => true,
        }
    }

    /// Keeps repeats of signals that counted just before the release from their default action, for
    /// the rest of their window. It blocks as long.
    pub(crate) fn outlast_repeats(&self) {
        let repeats = match &mut *lock(&self.state) {
            State::Serving(_) | State::Retired(_) => None,
            State::Released { repeats, .. } => repeats.take(),
        };
        if let Some((claim, until)) = repeats {
            thread::sleep(until.saturating_duration_since(Instant::now()));
            drop(claim);
        }
    }

    /// Keeps the inbox of a trigger that has ended, for the next task.
    pub(super) fn park(&self, inbox: Inbox) {
        match &mut *lock(&self.state) {
            State::Serving(held) | State::Retired(held) => held.unread = Some(inbox),
            State::Released { .. } => {}
        }
    }

    /// Returns the signals, unless the lease has ended.
    pub(super) fn serves(&self) -> Option<Vec<Signal>> {
        match &*lock(&self.state) {
            State::Serving(held) => Some(held.claim.signals.clone()),
            State::Retired(_) | State::Released { .. } => None,
        }
    }

    /// Ends the lease and keeps those signals that are its own. Returns whether there are any.
    pub(super) fn retire(&self, is_own: impl Fn(Signal) -> bool) -> bool {
        let mut state = lock(&self.state);
        match std::mem::replace(&mut *state, RELEASED) {
            State::Serving(mut held) => {
                drop(held.claim.split_off(|signal| !is_own(signal)));
                // Signals that arrived during the shutdown have no effect.
                held.unread.as_mut().map(Inbox::take);
                let has_own = !held.claim.signals.is_empty();
                *state = if has_own { State::Retired(held) } else { State::Serving(held) };
                has_own
            }
            other @ (State::Retired(_) | State::Released { .. }) => {
                *state = other;
                false
            }
        }
    }

    /// Leaves `signals` to another task, which has captured them, and adds to `waiting` what waits
    /// for it. Returns whether this lease holds others.
    pub(super) fn hand_over(
        &self,
        signals: &[Signal],
        waiting: &mut SignalMap<Option<u32>>,
    ) -> bool {
        let mut state = lock(&self.state);
        let State::Retired(Held { claim, closer: _, unread }) = &mut *state else { return false };
        drop(claim.split_off(|signal| signals.contains(&signal)));
        if let Some(inbox) = unread {
            for signal in inbox.take().signals() {
                if signals.contains(&signal) {
                    waiting.get_or_insert(signal, None);
                } else {
                    inbox.put_back(signal);
                }
            }
        }
        let has_others = !claim.signals.is_empty();
        if !has_others {
            *state = State::Released { repeats: None, is_taken_over: true };
        }
        has_others
    }

    /// Gives the signals back, at once those of which no repeat is expected.
    pub(super) fn release(&self, served_at: &SignalMap<Instant>) {
        let mut state = lock(&self.state);
        match std::mem::replace(&mut *state, RELEASED) {
            State::Serving(held) | State::Retired(held) => {
                let Held { mut claim, closer, unread: _ } = held;
                let (now, window) = (Instant::now(), self.repeat_window.min(MOST_LINGERING));
                let ends = |signal: &Signal| served_at.get(*signal)?.checked_add(window);
                let until = claim.signals.iter().filter_map(ends).max();
                let until = until.filter(|until| *until > now);
                let is_recent = |signal| ends(&signal).is_some_and(|until| until > now);
                let recent = claim.split_off(is_recent);
                drop(claim);
                let repeats = until.map(|until| (recent, until));
                *state = State::Released { repeats, is_taken_over: false };
                drop(closer);
            }
            released @ State::Released { .. } => *state = released,
        }
    }

    /// Returns what becomes of a signal that was read after the end.
    pub(super) fn judge(&self, signal: Signal) -> Late {
        match &*lock(&self.state) {
            State::Retired(held) if held.claim.signals.contains(&signal) => Late::Waits,
            State::Serving(_) | State::Retired(_) => Late::IsServed,
            State::Released { is_taken_over: true, .. } => Late::WasTakenOver,
            State::Released { is_taken_over: false, .. } => Late::WasReleased,
        }
    }
}

const RELEASED: State = State::Released { repeats: None, is_taken_over: false };
