//! The events of a group as they happen.

use std::{collections::VecDeque, fmt, sync::Arc};

use crate::{
    GroupEvent,
    group::{EventsFrom, GroupView},
};

/// The events of a group from now on, in their order: for tests and tools that wait for what
/// happens. Made by [`Group::watch`](crate::Group::watch).
///
/// # Limits
///
/// A group keeps the last 1,024 events for those that watch it. One that is slower than that loses
/// the oldest, and learns of it in their place: [`WatchedEvent::Lagged`]. The last events are never
/// lost. Nothing in the group waits for a watcher.
///
/// # Examples
///
/// ```
/// use task_core::{EventKind, Group, WatchedEvent};
///
/// /// Returns the names of the tasks that have not ended cleanly.
/// async fn unclean(group: Group) -> Vec<String> {
///     let mut unclean = Vec::new();
///     let mut events = group.watch();
///     while let Some(event) = events.next().await {
///         let WatchedEvent::Event(event) = event else { continue };
///         if let EventKind::TaskEnded { name, outcome, .. } = event.kind
///             && !outcome.is_clean()
///         {
///             unclean.push(name.into_owned());
///         }
///     }
///     unclean
/// }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() { assert!(unclean(Group::alone()).await.is_empty()) }
/// ```
pub struct GroupEvents {
    view: Arc<dyn GroupView>,
    /// The number of the event that comes after the buffered ones.
    next: u64,
    buffer: VecDeque<WatchedEvent>,
}

/// What [`GroupEvents::next`] returns.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WatchedEvent {
    /// What happened.
    Event(GroupEvent),
    /// So many events were lost at this place: they came faster than they were read.
    Lagged(u64),
}

impl GroupEvents {
    pub(crate) fn new(view: Arc<dyn GroupView>) -> Self {
        let next = view.events_from(None).next;
        Self { view, next, buffer: VecDeque::new() }
    }

    /// Returns the next event, and waits for it if there is none; `None` once the group has ended
    /// and its last event was returned. A task without a group has none.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe: a call that is dropped loses no event.
    pub async fn next(&mut self) -> Option<WatchedEvent> {
        loop {
            // Read before the events are: one that comes in between raises it.
            let seen = self.view.version().get();
            let is_over = self.fill();
            if let Some(event) = self.buffer.pop_front() {
                return Some(event);
            }
            if is_over {
                return None;
            }
            self.view.version().reached(seen + 1).await;
        }
    }

    /// Returns the next event if it has happened already. Never waits.
    pub fn try_next(&mut self) -> Option<WatchedEvent> {
        self.fill();
        self.buffer.pop_front()
    }

    /// Reads what has happened, unless something is left to be returned. Returns whether that is
    /// all there will be.
    fn fill(&mut self) -> bool {
        if !self.buffer.is_empty() {
            return false;
        }
        let EventsFrom { events, missed, next, is_over } = self.view.events_from(Some(self.next));
        self.next = next;
        self.buffer.extend((missed > 0).then_some(WatchedEvent::Lagged(missed)));
        self.buffer.extend(events.into_iter().map(WatchedEvent::Event));
        is_over
    }
}

impl fmt::Debug for GroupEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GroupEvents").field("next", &self.next).finish_non_exhaustive()
    }
}
