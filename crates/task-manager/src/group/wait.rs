//! Waiting for a group: for its report, or for its readiness.

use std::{
    future::poll_fn,
    pin::pin,
    sync::{Arc, LazyLock, PoisonError},
    task::Poll,
};

use task_core::{Group, Hold, Step, scope::Level};

use crate::{
    group::current, group::entry::Entry, group::shared::Shared, group::view, report::Report,
    report::error::ShutdownError, report::not_ready::NotReadyError, rt::HAS_OWN_THREADS,
    threads::panics::discard,
};

/// Grows whenever a group becomes part of another.
static NESTINGS: LazyLock<Level> = LazyLock::new(Level::new);

impl Shared {
    /// Invariant 5: it changes nothing but that completion is judged from now on, so any number of callers can wait,
    /// and each may be dropped.
    pub(crate) async fn wait(self: &Arc<Self>) -> Result<Report, ShutdownError> {
        self.wait_as(current::is_managed()).await
    }

    /// Waits for the end, and if it `may_enclose` the caller later on, looks for that whenever groups are nested.
    pub(crate) async fn wait_as(
        self: &Arc<Self>,
        may_enclose: bool,
    ) -> Result<Report, ShutdownError> {
        if self.is_inside() {
            return Err(ShutdownError::inside(&self.name));
        }
        if self.report.get().is_none()
            && let Err(reason) = self.bind()
        {
            return Err(ShutdownError::unbound(&self.name, &reason));
        }
        self.wait_began();
        if self.ends_or_encloses(may_enclose).await {
            return Err(ShutdownError::inside(&self.name));
        }
        self.alarm.set_taken();
        match self.report.get() {
            Some(report) if report.is_clean() => Ok(report.clone()),
            Some(report) => Err(ShutdownError::failed(report.clone())),
            // The level is raised after the report is set.
            None => Err(ShutdownError::gone()),
        }
    }

    /// Waits for the end. Returns `true` if it turns out before that this wait is one from inside: the caller's group
    /// became part of this one only after the wait had begun.
    async fn ends_or_encloses(self: &Arc<Self>, may_enclose: bool) -> bool {
        let mut ended = self.ended.reached(1);
        if !may_enclose {
            ended.await;
            return false;
        }
        loop {
            let mut linked = NESTINGS.reached(NESTINGS.get() + 1);
            if self.is_inside() {
                return true;
            }
            let has_ended = poll_fn(|cx| {
                if pin!(&mut ended).poll(cx).is_ready() {
                    return Poll::Ready(true);
                }
                pin!(&mut linked).poll(cx).map(|()| false)
            });
            if has_ended.await {
                return false;
            }
        }
    }

    /// Notes that this group runs inside another one, as that entry.
    pub(crate) fn nest_in(self: &Arc<Self>, entry: &Arc<Entry>) {
        // Two that are to run inside each other must not both look before either is linked. Shuttle does not know this
        // lock, and changes tasks while it is held.
        static TURN: std::sync::Mutex<()> = std::sync::Mutex::new(());
        let turn = HAS_OWN_THREADS.then(|| TURN.lock().unwrap_or_else(PoisonError::into_inner));
        let outer = &entry.shared;
        // Each may be the last reference by now, and what it drops is the user's: not under the lock.
        let mut passed = vec![Arc::clone(outer)];
        while let Some(shared) = passed.last() {
            if Arc::ptr_eq(shared, self) {
                // The outer one was made inside of this one: a link back would close a circle.
                drop(turn);
                discard(passed);
                return;
            }
            let Some(next) = shared.enclosing() else { break };
            passed.push(next);
        }
        *self.enclosing.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(outer);
        outer.lock().link(entry, self);
        drop(turn);
        discard(passed);
        self.wake(NESTINGS.bump_quietly());
    }

    /// Invariant 6: tells whether the calling code is part of this group, or of one inside it.
    fn is_inside(self: &Arc<Self>) -> bool {
        let mut next = current::get();
        while let Some(shared) = next {
            if Arc::ptr_eq(&shared, self) {
                return true;
            }
            next = shared.enclosing();
        }
        false
    }

    fn enclosing(&self) -> Option<Arc<Self>> {
        self.enclosing.lock().unwrap_or_else(PoisonError::into_inner).upgrade()
    }

    /// Keeps the outer manager's task from having ended until this group has.
    pub(crate) fn keep_outer(&self, hold: Hold) {
        let lock = || self.outer_hold.lock().unwrap_or_else(PoisonError::into_inner);
        *lock() = Some(hold);
        // Whoever made the report meanwhile may have looked for it before it was there.
        if self.report.get().is_some() {
            let hold = lock().take();
            drop(hold);
        }
    }

    pub(crate) async fn ready(self: &Arc<Self>) -> Result<(), NotReadyError> {
        let mut group: Group = view::group(self);
        loop {
            match self.gate_state() {
                Some(result) => return result,
                None => group.changed().await,
            }
        }
    }

    fn gate_state(&self) -> Option<Result<(), NotReadyError>> {
        let state = self.lock();
        if let Some((name, outcome)) = state.gates.broken() {
            return Some(Err(NotReadyError::task_ended(name, outcome)));
        }
        match state.machine.step() {
            Step::Running => state.gates.is_open().then_some(Ok(())),
            step => Some(Err(NotReadyError::shutting_down(step))),
        }
    }
}
