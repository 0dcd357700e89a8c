//! A member of a group, with its group: what a task's context points to.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use super::{Identity, Member, Shared};
use crate::lifecycle::Tick;
use crate::report::End;
use crate::threads::CallerRuntime;

mod scope;

/// One allocation for the data and the reference to the group. It dereferences to the [`Member`],
/// which is all that the group's own records see.
pub(crate) struct Entry {
    pub(crate) shared: Arc<Shared>,
    member: Member,
    /// Tokio's cell is aligned to 128 bytes. With this, cell, boxed future and entry of a small
    /// task add up to a multiple of that. Without it, glibc leaves a gap beside each task: 130
    /// bytes more, and a third more time (`cargo xtask bench parked`).
    _room: [u64; 2],
}

impl Deref for Entry {
    type Target = Member;

    fn deref(&self) -> &Member {
        &self.member
    }
}

impl Entry {
    pub(crate) fn new(shared: Arc<Shared>, identity: Identity, began: Tick) -> Arc<Self> {
        Arc::new(Self { shared, member: Member::new(identity, began), _room: [0; 2] })
    }

    /// Records how the future ended. The task has ended once no hold is left either. Holders see
    /// the end of the future, since it cancels the task's context.
    pub(crate) fn future_ended(self: &Arc<Self>, end: End, caller: CallerRuntime) {
        if self.take_if_last() {
            self.shared.entry_ended(self, end, caller);
        } else {
            self.shared.future_ended_held(self, end);
        }
    }

    /// Keeps the end for the last holder, and takes the future off.
    pub(crate) fn release_with(self: &Arc<Self>, end: End) {
        self.update(|details| details.end = Some(end));
        self.release();
    }

    fn release(self: &Arc<Self>) {
        if let Some(end) = self.remove_pending() {
            self.shared.entry_ended(self, end, CallerRuntime::Other);
        }
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, id, outcome) = (&self.name, self.id, self.outcome());
        write!(f, "{name:?} ({id}, {outcome:?})")
    }
}
