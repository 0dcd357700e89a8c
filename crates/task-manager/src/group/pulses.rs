//! The pulses of a group, which beat until a `wait` has returned.

use std::sync::{Arc, Weak};
use std::time::Duration;

use task_core::scope::{PulseFn, reserve_threads};
use task_core::{Beat, Panic, Pulse, Step, TaskId};

use super::closing::CLOSING_THREADS;
use super::overdue::HARD_EXIT_DELAY;
use super::{Entry, Event, Shared};
use crate::report::{Failure, FailureKind, FailureOrigin};
use crate::rt::HAS_OWN_THREADS;
use crate::threads::{MAX_PULSES, PulseOwner, PulseTimer};

/// A task with a pulse. It keeps neither the task nor the group, since the callback is kept until
/// both are gone.
struct Owner {
    group: Weak<Shared>,
    origin: FailureOrigin,
    name: String,
    id: TaskId,
}

impl Shared {
    /// Starts a pulse, unless the group has too many of them, or has ended.
    pub(crate) fn start_pulse(
        self: &Arc<Self>,
        entry: &Entry,
        interval: Duration,
        callback: PulseFn,
    ) -> Option<Pulse> {
        if !HAS_OWN_THREADS {
            return None;
        }
        let owner = Owner {
            group: Arc::downgrade(self),
            origin: entry.role.origin(),
            name: entry.name.to_string(),
            id: entry.id,
        };
        // For the last beat; see `closing.rs`.
        reserve_threads(CLOSING_THREADS).ok()?;
        let pulse = PulseTimer::new(interval, &self.alarm, Box::new(owner), callback).ok()?;
        let is_added = self.add_pulse(&pulse);
        is_added.then(|| {
            pulse.start();
            pulse.handle().clone()
        })
    }

    /// Under one lock: of two pulses at once only one is the last, and none comes after the end has
    /// taken those for their last beat.
    fn add_pulse(&self, pulse: &Arc<PulseTimer>) -> bool {
        let mut state = self.lock();
        state.pulses.retain(|pulse| pulse.strong_count() > 0);
        let may_add = state.pulses.len() < MAX_PULSES && state.machine.step() < Step::Ended;
        if may_add {
            state.pulses.push(Arc::downgrade(pulse));
        }
        may_add
    }

    /// Returns whether the end of the shutdown has a limit that is ahead, so that a hard exit, if
    /// there is one, ends a runtime that is blocked.
    fn has_deadline_ahead(&self, now: Duration) -> bool {
        let state = self.lock();
        let delay = state.machine.telemetry().saturating_add(HARD_EXIT_DELAY);
        let end = state.machine.plan().and_then(|plan| plan.end);
        end.is_some_and(|end| now < end.saturating_add(delay))
    }
}

impl PulseOwner for Owner {
    fn is_gone(&self) -> bool {
        self.group.strong_count() == 0
    }

    fn beat(&self) -> Option<Beat> {
        let group = self.group.upgrade()?;
        let mut beat = Beat::new(group.lock().machine.step());
        beat.has_deadline = beat.step > Step::Running && group.has_deadline_ahead(group.now());
        Some(beat)
    }

    fn panicked(&self, panic: Panic) {
        let Some(group) = self.group.upgrade() else { return };
        let mut turn = group.turn();
        let failure = Failure {
            origin: self.origin,
            name: self.name.clone(),
            id: Some(self.id),
            kind: FailureKind::SurvivedPanic(panic),
            at: turn.now(),
        };
        if turn.state.machine.step() == Step::Ended {
            turn.log(Event::Failed(failure, None));
        } else {
            turn.state.keep(failure, None);
        }
        turn.release();
    }
}
