//! The scope of a task under test: it records what the task reports, and what is done to it.

use std::{
    borrow::Cow,
    mem,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak},
    task::Waker,
    time::Duration,
};

use task_core::{
    Escalation, Outcome, Panic,
    scope::{ChildrenView, Level, Scope, Stage, StageCell, guarded_text},
};
use tokio::{runtime::Handle, time::Instant};

use crate::{
    ended::Ended,
    event::{Event, EventKind},
};

/// How many events are kept.
const MOST_EVENTS: usize = 65_536;
/// How long a task has that escalates to an abort before it was cancelled, as under the manager.
const ESCALATION: Duration = Duration::from_millis(250);

/// What a manager would keep of one task.
pub(crate) struct Recorder {
    name: String,
    stage: StageCell,
    /// `None` outside of a runtime.
    runtime: Option<Handle>,
    born: Instant,
    /// Raised with each event.
    version: Level,
    state: Mutex<State>,
    /// Notified when the last hold is released.
    released: Condvar,
}

#[derive(Default)]
struct State {
    events: Vec<Event>,
    omitted: u64,
    is_ready: bool,
    status: Option<String>,
    holds: usize,
    /// When the task is aborted.
    deadline: Option<Instant>,
    /// What the context says of the time that is left, where that differs.
    shown_deadline: Option<Instant>,
    cancelled_at: Option<Instant>,
    is_abort_asked: bool,
    /// A failure on a thread of the task, which is the task's own.
    failed: Option<(Outcome, Arc<anyhow::Error>)>,
    ended: Option<Ended>,
    driver: Option<Waker>,
    /// What a wrapper spawned for the task, and is aborted with it.
    children: Vec<Weak<dyn ChildrenView>>,
}

impl Recorder {
    pub(crate) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            stage: StageCell::new(),
            runtime: Handle::try_current().ok(),
            born: Instant::now(),
            version: Level::new(),
            state: Mutex::default(),
            released: Condvar::new(),
        }
    }

    /// Reads the clock of the run's runtime, which may be paused, from any thread.
    fn now(&self) -> Instant {
        let _entered = self.runtime.as_ref().map(Handle::enter);
        Instant::now()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records an event, with what it changes. Wakers are called outside of the lock.
    fn record(&self, kind: EventKind, change: impl FnOnce(&mut State)) {
        let at = self.now().saturating_duration_since(self.born);
        let mut state = self.state();
        change(&mut state);
        state.add(at, kind);
        drop(state);
        self.version.bump();
    }

    pub(crate) fn version(&self) -> &Level {
        &self.version
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        self.state().events.clone()
    }

    pub(crate) fn omitted(&self) -> u64 {
        self.state().omitted
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.state().is_ready
    }

    pub(crate) fn status(&self) -> Option<String> {
        self.state().status.clone()
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.now().saturating_duration_since(self.born)
    }

    pub(crate) fn ended(&self) -> Option<Ended> {
        self.state().ended.clone()
    }

    pub(crate) fn drain(&self) {
        if self.stage.get() < Stage::Draining {
            self.record(EventKind::Draining, |_| {});
            self.stage.advance(Stage::Draining);
        }
    }

    /// Cancels the task, which is aborted after `limit`. A later limit than that of an earlier call
    /// changes nothing.
    pub(crate) fn cancel(&self, limit: Option<Duration>, shown: Option<Duration>) {
        let now = self.now();
        let after = |limit: Option<Duration>| limit.and_then(|limit| now.checked_add(limit));
        let mut state = self.state();
        let is_first = state.cancelled_at.is_none() && state.ended.is_none();
        if let Some(deadline) = after(limit) {
            state.deadline = Some(state.deadline.map_or(deadline, |old| old.min(deadline)));
        }
        if is_first {
            state.cancelled_at = Some(now);
            state.shown_deadline = after(shown);
            let at = now.saturating_duration_since(self.born);
            state.add(at, EventKind::Cancelled);
        }
        let driver = state.driver.clone();
        drop(state);
        if is_first {
            self.version.bump();
        }
        self.stage.advance(Stage::Cancelled);
        driver.into_iter().for_each(Waker::wake);
    }

    pub(crate) fn abort(&self) {
        let mut state = self.state();
        if state.ended.is_some() || state.is_abort_asked {
            return;
        }
        state.is_abort_asked = true;
        let driver = state.driver.clone();
        drop(state);
        driver.into_iter().for_each(Waker::wake);
    }

    pub(crate) fn aborted(&self) {
        let mut children = Vec::new();
        self.record(EventKind::Aborted, |state| {
            state.cancelled_at.get_or_insert_with(Instant::now);
            children = mem::take(&mut state.children);
        });
        children.iter().filter_map(Weak::upgrade).for_each(|children| children.abort(false));
        self.stage.advance(Stage::Cancelled);
    }

    pub(crate) fn is_abort_asked(&self) -> bool {
        self.state().is_abort_asked
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.stage.get() >= Stage::Cancelled
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.state().deadline
    }

    pub(crate) fn holds(&self) -> usize {
        self.state().holds
    }

    /// Waits, as a thread, until no hold is left, for at most `limit`.
    pub(crate) fn wait_released(&self, limit: Duration) {
        let is_held = |state: &mut State| state.holds > 0;
        drop(self.released.wait_timeout_while(self.state(), limit, is_held));
    }

    /// Whom to wake when the deadline moves, an abort is asked for, or the last hold is released.
    pub(crate) fn set_driver(&self, waker: &Waker) {
        let mut state = self.state();
        if !state.driver.as_ref().is_some_and(|old| old.will_wake(waker)) {
            let _old = state.driver.replace(waker.clone());
        }
    }

    /// The task has ended. A failure on a thread of it, which came before, is its outcome.
    pub(crate) fn end(&self, outcome: Outcome, error: Option<anyhow::Error>) {
        let now = self.now();
        let at = now.saturating_duration_since(self.born);
        let mut state = self.state();
        let own = error.map(Arc::new);
        let (outcome, error) = match state.failed.take() {
            Some((failed, error)) if outcome.is_clean() => (failed, Some(error)),
            _ => (outcome, own),
        };
        let stop_took =
            state.cancelled_at.map(|cancelled| now.saturating_duration_since(cancelled));
        state.add(at, EventKind::Ended(outcome));
        let (name, events) = (self.name.clone(), state.events.clone());
        state.ended = Some(Ended { outcome, at, stop_took, error, name, events });
        drop(state);
        self.stage.advance(Stage::Ended);
        self.version.bump();
    }

    /// Fails the task by something that belongs to it.
    fn fail_beside(&self, outcome: Outcome, error: anyhow::Error) {
        let text = guarded_text(format_args!("{error:#}"));
        self.record(EventKind::Failure(text), |state| {
            state.failed.get_or_insert_with(|| (outcome, Arc::new(error)));
        });
        self.cancel(None, None);
    }
}

impl State {
    fn add(&mut self, at: Duration, kind: EventKind) {
        if self.events.len() < MOST_EVENTS {
            self.events.push(Event { at, kind });
        } else {
            self.omitted += 1;
        }
    }
}

impl Scope for Recorder {
    fn stage(&self) -> &StageCell {
        &self.stage
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn remaining(&self) -> Option<Duration> {
        let now = self.now();
        let state = self.state();
        let deadline = state.shown_deadline.or(state.deadline);
        deadline.map(|deadline| deadline.saturating_duration_since(now))
    }

    fn set_ready(&self, ready: bool) {
        self.record(EventKind::Ready(ready), |state| state.is_ready = ready);
    }

    fn set_status(&self, status: Cow<'static, str>) {
        self.record(EventKind::Status(status.clone().into_owned()), |state| {
            state.status = Some(status.into_owned()).filter(|status| !status.is_empty());
        });
    }

    /// A group would stop, and the task with it.
    fn request_stop(&self, reason: Cow<'static, str>) {
        self.record(EventKind::StopRequested(reason.into_owned()), |_| {});
        self.cancel(None, None);
    }

    fn escalate(&self, level: Escalation) {
        self.record(EventKind::Escalated(level), |_| {});
        match level {
            Escalation::Abort if self.is_cancelled() => self.abort(),
            Escalation::Abort => self.cancel(Some(ESCALATION), None),
            // `EndDrain`, and what a later version adds.
            _ => self.cancel(None, None),
        }
    }

    fn add_hold(&self) {
        self.record(EventKind::Held, |state| state.holds += 1);
    }

    fn release_hold(self: Arc<Self>) {
        let mut driver = None;
        self.record(EventKind::Released, |state| {
            state.holds = state.holds.saturating_sub(1);
            driver = state.driver.clone().filter(|_| state.holds == 0);
        });
        self.released.notify_all();
        driver.into_iter().for_each(Waker::wake);
    }

    fn record_failure(&self, error: anyhow::Error) {
        let text = guarded_text(format_args!("{error:#}"));
        self.record(EventKind::Failure(text), |_| {});
    }

    fn count_failure(&self) {
        self.record(EventKind::FailureCounted, |_| {});
    }

    fn fail(self: Arc<Self>, error: anyhow::Error) -> Result<(), anyhow::Error> {
        self.fail_beside(Outcome::Failed, error);
        Ok(())
    }

    fn fail_by_panic(self: Arc<Self>, panic: Panic) {
        self.fail_beside(Outcome::Panicked, panic.into());
    }

    fn add_children(&self, children: Weak<dyn ChildrenView>) {
        let mut state = self.state();
        state.children.retain(|children| children.strong_count() > 0);
        state.children.push(children);
    }

    fn record_restart(&self) {
        self.record(EventKind::Restarted, |_| {});
    }

    fn record_wait(&self, wait: Option<Duration>) {
        self.record(EventKind::Waits(wait), |_| {});
    }

    fn record_signal(&self, name: Cow<'static, str>, count: u64) {
        self.record(EventKind::Signal { name: name.into_owned(), count }, |_| {});
    }
}
