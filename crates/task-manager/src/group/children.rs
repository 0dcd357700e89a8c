//! The children of tasks, which wrappers spawn and register: aborted with their task, and named
//! when it is abandoned.
//!
//! Their code is foreign to the manager (invariant 9). So they are looked at before an event takes
//! the lock, while a task that has children is aborted and not yet abandoned, and what they said
//! is kept in the task's record.

use std::sync::{Arc, Weak};

use task_core::scope::{ChildrenView, Living, catch, discard, guarded_name};

use super::{Entry, Member, Shared};
use crate::report::{Deadline, DeadlineKind};
use crate::sync::Ordering;

/// The most children of a task that are named.
const MAX_NAMED: usize = 8;

impl Member {
    pub(crate) fn add_children(&self, children: Weak<dyn ChildrenView>) {
        self.update(|details| {
            let known = &mut details.children;
            // Only when it would grow, so that many that come and go cost little.
            if known.len() == known.capacity() {
                known.retain(|children| children.strong_count() > 0);
            }
            known.push(children);
        });
        self.mark_children();
    }

    /// Returns how many children are alive. Foreign code: called without a lock.
    pub(crate) fn count_children(&self) -> usize {
        self.each_children(ChildrenView::count).into_iter().sum()
    }

    /// Drops the futures of the children. Foreign code: called without a lock.
    fn abort_children(&self) {
        let is_requested = |deadline: &Deadline| deadline.kind == DeadlineKind::Requested;
        let was_requested = self.deadline().as_ref().is_some_and(is_requested);
        self.each_children(|children| children.abort(was_requested));
    }

    /// Returns the names of children that are alive. Foreign code: called without a lock.
    pub(crate) fn living_children(&self, limit: usize) -> Living {
        let mut all = Living::new();
        for living in self.each_children(|children| children.living(limit)) {
            let room = limit.saturating_sub(all.names.len());
            all.more += living.more + living.names.len().saturating_sub(room);
            all.names.extend(living.names.into_iter().take(room));
        }
        all
    }

    fn each_children<R>(&self, ask: impl Fn(&dyn ChildrenView) -> R) -> Vec<R> {
        let asked = self.children().into_iter().filter_map(|children| {
            let answer = catch(|| ask(&*children)).ok();
            // It may be the last reference.
            discard(children);
            answer
        });
        asked.collect()
    }

    /// Keeps what is alive, for the report.
    fn look_at_children(&self) {
        let Living { names, more, .. } = self.living_children(MAX_NAMED);
        let alive = names.len() + more;
        let mut names = names.iter().map(|name| guarded_name(name)).collect::<Vec<_>>().join(", ");
        if more > 0 {
            names += &format!(" and {more} more");
        }
        let text = match alive {
            0 => None,
            1 => Some(format!("1 child is alive: {names}")),
            _ => Some(format!("{alive} children are alive: {names}")),
        };
        self.update(|details| details.living_children = text.map(Arc::from));
    }

    /// Returns the status, with the children that were alive after the task's abort.
    pub(crate) fn status_with_children(&self) -> Option<Arc<str>> {
        let status = self.status();
        let Some(children) = self.known_children() else { return status };
        Some(status.map_or(Arc::clone(&children), |status| format!("{status}; {children}").into()))
    }
}

impl Entry {
    /// Drops the future at its next await, and those of the children.
    pub(crate) fn abort_all(&self) {
        // First: the drop of the task's future may drop them as well, as if the task wanted it.
        self.abort_children();
        self.abort();
    }
}

impl Shared {
    /// Looks at the children of tasks that are aborted and may be abandoned next.
    pub(crate) fn look_at_aborted_children(&self) {
        if !self.has_aborted_children.load(Ordering::SeqCst) {
            return;
        }
        let state = self.lock();
        let is_aborted = |entry: &&Arc<Entry>| entry.has_children() && entry.deadline().is_some();
        let aborted: Vec<_> = state.living().filter(is_aborted).cloned().collect();
        if aborted.is_empty() {
            // Under the lock, under which it is set.
            self.has_aborted_children.store(false, Ordering::SeqCst);
        }
        drop(state);
        for entry in aborted {
            entry.look_at_children();
        }
    }
}
