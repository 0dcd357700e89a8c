//! What the runs of one task, and the handles to it, share.
//!
//! One word holds which run has a say, and what it said: a call of a run that is over finds another
//! number there, and changes nothing.

use std::{
    borrow::Cow,
    sync::{Arc, Weak},
    task::Wake,
};

use task_core::{
    Context,
    scope::{Level, Stage},
};

use crate::{
    run::Run,
    sync::{AtomicBool, AtomicU64, Mutex, Ordering, lock},
};

/// The run that has a say is ready.
const READY: u64 = 1;
/// The run before was ready, and its readiness is kept for a while.
const KEPT: u64 = 2;
const FLAGS: u32 = 2;

#[derive(Default)]
pub(crate) struct Shared {
    /// Counts the restarts that were asked for.
    pub(crate) requests: Level,
    reason: Mutex<Option<Cow<'static, str>>>,
    /// The number of the run that has a say, 0 for none, above the flags.
    readiness: AtomicU64,
    /// The run that the outer stage is handed on to.
    current: Mutex<Option<Arc<Run>>>,
    is_over: AtomicBool,
    /// Survived failures are in the report.
    pub(crate) records_failures: AtomicBool,
}

impl Shared {
    /// Begins a run, whose context follows the outer one from now on.
    pub(crate) fn begin(self: &Arc<Self>, outer: &Context, number: u64) -> Arc<Run> {
        let run = Arc::new(Run::new(outer.clone(), Arc::clone(self), number));
        let kept = self.readiness.load(Ordering::SeqCst) & KEPT;
        // Only the task itself begins and ends runs, and changes what is kept.
        self.readiness.store(number << FLAGS | kept, Ordering::SeqCst);
        let before = lock(&self.current).replace(Arc::clone(&run));
        drop(before);
        // Read after the run can be found: a stop before that finds no run, one after it does.
        run.follow();
        run
    }

    /// Returns the run that has begun last and not ended.
    pub(crate) fn current(&self) -> Option<Arc<Run>> {
        lock(&self.current).clone()
    }

    /// Ends the run at hand, if there is one, whose future is gone. Its readiness goes with it, or
    /// is kept for now. Returns whether it is kept.
    pub(crate) fn end(&self, keeps_ready: bool) -> bool {
        let Some(run) = lock(&self.current).take() else { return false };
        let after = |before: u64| {
            let is_kept = before & KEPT != 0 || before & READY != 0 && keeps_ready;
            Some(if is_kept { KEPT } else { 0 })
        };
        let before = self.readiness.fetch_update(Ordering::SeqCst, Ordering::SeqCst, after);
        let was_ready = before.is_ok_and(|before| before & READY != 0);
        if was_ready {
            self.publish(run.outer());
        }
        run.end();
        keeps_ready && was_ready
    }

    /// Sets the readiness of a run, if it still has a say.
    pub(crate) fn set_ready(&self, run: &Run, ready: bool) {
        let change = |before: u64| {
            (before >> FLAGS == run.number()).then_some(if ready {
                before | READY
            } else {
                before & !READY
            })
        };
        if self.readiness.fetch_update(Ordering::SeqCst, Ordering::SeqCst, change).is_ok() {
            self.publish(run.outer());
        }
    }

    /// Returns whether the run that has a say is ready.
    pub(crate) fn is_ready(&self) -> bool {
        self.readiness.load(Ordering::SeqCst) & READY != 0
    }

    /// Ends the time for which the readiness of an earlier run was kept.
    pub(crate) fn stop_keeping(&self, outer: &Context) {
        self.readiness.fetch_and(!KEPT, Ordering::SeqCst);
        self.publish(outer);
    }

    /// Passes readiness on to the outer context. Of several threads that do so at once, the last
    /// reads it again afterwards, so that what stands in the end is right. No lock is held
    /// meanwhile, since the outer context calls wakers.
    fn publish(&self, outer: &Context) {
        let ready = || self.readiness.load(Ordering::SeqCst) & (READY | KEPT) != 0;
        let mut passed_on = ready();
        loop {
            outer.set_ready(passed_on);
            if ready() == passed_on {
                return;
            }
            passed_on = !passed_on;
        }
    }

    /// Asks for a restart. Returns whether the task can still be restarted.
    pub(crate) fn request(&self, reason: Cow<'static, str>) -> bool {
        if self.is_over() {
            return false;
        }
        let before = lock(&self.reason).replace(reason);
        drop(before);
        self.requests.bump();
        !self.is_over()
    }

    /// Returns the reason of the last request that has not been served.
    pub(crate) fn take_reason(&self) -> Cow<'static, str> {
        lock(&self.reason).take().unwrap_or_default()
    }

    pub(crate) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }

    pub(crate) fn records_failures(&self) -> bool {
        self.records_failures.load(Ordering::SeqCst)
    }

    /// Returns the number of the run that has a say, or 0.
    pub(crate) fn number(&self) -> u64 {
        self.readiness.load(Ordering::SeqCst) >> FLAGS
    }
}

/// The life of the task. When it is dropped, wherever the task's future is, the run at hand is
/// over.
pub(crate) struct Life(pub(crate) Arc<Shared>);

impl Life {
    /// Has the stage of `outer` handed on to whichever run there is: on the thread that advances
    /// it, so that a stop needs no runtime.
    pub(crate) fn follow(&self, outer: &Context) {
        let follower = Arc::new(Follower(Arc::downgrade(&self.0)));
        outer.wake_at(Stage::Draining, Arc::clone(&follower).into());
        outer.wake_at(Stage::Cancelled, follower.into());
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        self.0.is_over.store(true, Ordering::SeqCst);
        let run = self.0.current();
        self.0.end(false);
        // The task's future was dropped before it has looked at it.
        if let Some(run) = run
            && let Some(panic) = run.take_panic()
        {
            run.outer().fail_by_panic(panic);
        }
    }
}

/// Weak, since the outer context keeps it.
struct Follower(Weak<Shared>);

impl Wake for Follower {
    fn wake(self: Arc<Self>) {
        let run = self.0.upgrade().and_then(|shared| shared.current());
        if let Some(run) = run {
            run.follow();
        }
    }
}
