//! What was decided under the lock, done outside of it.

use std::sync::Arc;

use task_core::scope::Wakers;

use crate::{
    delivery::Parcel, group::cleanup::Hook, group::entry::Entry, group::log::News,
    group::managed::Managed, group::nesting::Step, group::shared::Shared,
    group::span::in_cleanup_span, report::failure::Failure, threads::panics::discard,
};

/// What was decided under the lock and is to be done outside of it.
#[derive(Default)]
pub(crate) struct Work {
    pub(crate) wakers: Wakers,
    /// The wakers, handed over.
    pub(crate) parcel: Parcel,
    pub(crate) aborts: Vec<Arc<Entry>>,
    /// At most one in practice; a second must not push the first out, for it would be dropped under the lock.
    pub(crate) cleanups: Vec<(Arc<Entry>, Hook)>,
    pub(crate) skipped: Vec<Hook>,
    pub(crate) has_ended: bool,
    /// To be dropped outside the lock: an error's drop is user code.
    pub(crate) garbage: Vec<Failure>,
    pub(crate) spent: Vec<Arc<Shared>>,
    /// What the groups inside are to be told.
    pub(crate) orders: Vec<Step>,
    pub(crate) news: Vec<News>,
}

impl Shared {
    /// Does what was decided. Every part may run the user's code: wakers, drops, the first poll of a cleanup.
    pub(crate) fn perform(self: &Arc<Self>, work: Work) {
        let Work { wakers: _, parcel, aborts, cleanups, skipped, has_ended, .. } = work;
        // Handed over before the deadline thread is told to look, so that it sees to it that they are called.
        self.alarm.ring(self);
        for entry in aborts {
            entry.abort();
        }
        for (entry, hook) in cleanups {
            let Some(clock) = self.alarm.clock.get() else { break };
            let future = in_cleanup_span(Arc::clone(&entry), async move { (hook.run)().await });
            let join = clock.handle().spawn(Managed::new(Arc::clone(&entry), future));
            entry.set_join_handle(join);
        }
        work.orders.into_iter().for_each(Step::take);
        if has_ended {
            let hold = self.outer_hold.lock().map(|mut hold| hold.take());
            if let Some(hold) = hold.ok().flatten() {
                Step::Release(hold).take();
            }
        }
        // What may block comes last, the wakers before the drop of what is the user's.
        let parcel = self.alarm.delivery.join(parcel, self.version.bump_quietly());
        self.deliver(parcel);
        skipped.into_iter().for_each(discard);
        work.garbage.into_iter().for_each(discard);
        discard(work.spent);
    }
}
