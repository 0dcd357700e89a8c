//! The read-only view of a group.

use std::{any::Any, fmt, sync::Arc};

use crate::{GroupEvent, GroupEvents, GroupSnapshot, Readiness, Step, level::Level};

/// A read-only view of a manager's group: its tasks, its readiness, and the manager's step.
///
/// It is cheap to clone. It keeps the group's records alive, not its tasks: those are stopped when
/// the manager is dropped. Each clone has its own notion of what [`changed`](Self::changed).
///
/// A task gets one by [`Context::group`](crate::Context::group), other code from the manager.
///
/// # Limits
///
/// The lists of a [`GroupSnapshot`] are bounded, as its fields say, except for that of the tasks
/// that are alive. A view follows the group, and is not a history of it: an observer that looks too
/// late does not see a task that came and went.
///
/// # Examples
///
/// A task that prints every change of its group:
///
/// ```
/// use task_core::{Context, Step};
///
/// async fn print_changes(ctx: Context) -> anyhow::Result<()> {
///     let mut group = ctx.group();
///     while group.step() < Step::Ended {
///         ctx.or_cancelled(group.changed()).await?;
///         for task in group.snapshot().tasks {
///             println!("{} is {}", task.name, task.state);
///         }
///     }
///     Ok(())
/// }
/// ```
#[derive(Clone)]
pub struct Group {
    view: Arc<dyn GroupView>,
    seen: u64,
}

impl Group {
    /// Creates a view of a source. Its first [`changed`](Self::changed) waits for a change from now
    /// on.
    pub fn new(view: Arc<dyn GroupView>) -> Self {
        let seen = view.version().get();
        Self { view, seen }
    }

    /// Creates the view of a task that has no group: no tasks, and no changes.
    ///
    /// # Examples
    ///
    /// ```
    /// use task_core::{Group, Step};
    ///
    /// let group = Group::alone();
    /// assert_eq!(group.step(), Step::Running);
    /// assert!(group.snapshot().tasks.is_empty());
    /// ```
    pub fn alone() -> Self {
        Self::new(Arc::new(Alone(Level::new())))
    }

    /// Returns the state of the group at one instant.
    ///
    /// The cost is proportional to the number of tasks that are alive, plus that of the tasks that
    /// have ended since a shutdown began, which is at most 4,096.
    pub fn snapshot(&self) -> GroupSnapshot {
        self.view.snapshot()
    }

    /// Returns what happened to the group, oldest first: the changes of its step and of the
    /// readiness of tasks that gate it, the triggers of its shutdown, aborts, and failures.
    ///
    /// A manager keeps the last 64 events, and of the failures the last 32 that it still has for
    /// its report. The call formats errors, which is their own code: it may take a while, so call
    /// it where a person looks and not for each scrape.
    pub fn events(&self) -> Vec<GroupEvent> {
        self.view.events()
    }

    /// Watches the events of the group from now on: also the starts and ends of tasks, which
    /// [`events`](Self::events) leaves out. Each task ends once in it, with the outcome that the
    /// report has.
    ///
    /// From the first call on, until its end, the group notes each event, which takes some 100 ns
    /// for each start and end of a task and the memory of 1,024 events; before, it does not.
    pub fn watch(&self) -> GroupEvents {
        GroupEvents::new(Arc::clone(&self.view))
    }

    /// Returns the manager's step. Costs no copy.
    pub fn step(&self) -> Step {
        self.view.step()
    }

    /// Returns whether the group is ready, and if not, why.
    pub fn readiness(&self) -> Readiness {
        self.view.readiness()
    }

    /// Returns whether a stop of the group may lose requests for want of a drain: a task of
    /// [`Phase::INGRESS`](crate::Phase::INGRESS) or below is alive, and the manager's drain delay
    /// was left at its default, which is zero.
    ///
    /// It is `false` if the delay was set, also to zero, in a nested group, which drains with its
    /// outer group, and for a task without a group. `HttpTask` logs a
    /// warning for it.
    pub fn lacks_drain(&self) -> bool {
        self.view.lacks_drain()
    }

    /// Returns the source of this view, if it is a `T`: for managers, which find their own group by
    /// it.
    pub fn source<T: GroupView>(&self) -> Option<Arc<T>> {
        let source: Arc<dyn Any + Send + Sync> = self.view.clone();
        source.downcast().ok()
    }

    /// Waits until something has changed since the last `changed` of this value, or since the value
    /// was created.
    ///
    /// Several changes may be seen as one, and it may resolve although nothing visible has changed.
    /// Once the step is [`Ended`](Step::Ended) it may never resolve again, so a loop should end
    /// there.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe: a call that is dropped loses no change.
    pub async fn changed(&mut self) {
        self.view.version().reached(self.seen + 1).await;
        self.seen = self.view.version().get();
    }
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Group").field("step", &self.step()).finish_non_exhaustive()
    }
}

/// The source of a [`Group`]. Managers and test kits implement it. No method may block or panic.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use task_core::{Group, GroupSnapshot, Step, scope::{GroupView, Level}};
///
/// /// A group that is stopping from the start.
/// struct Stopping(Level);
///
/// impl GroupView for Stopping {
///     fn snapshot(&self) -> GroupSnapshot {
///         let mut snapshot = GroupSnapshot::default();
///         snapshot.step = Step::Stopping;
///         snapshot
///     }
///
///     fn version(&self) -> &Level {
///         &self.0
///     }
/// }
///
/// let group = Group::new(Arc::new(Stopping(Level::new())));
/// assert_eq!(group.step(), Step::Stopping);
/// ```
pub trait GroupView: Any + Send + Sync {
    /// Returns the state of the group at one instant.
    fn snapshot(&self) -> GroupSnapshot;

    /// Returns what happened to the group, oldest first. Default: nothing.
    fn events(&self) -> Vec<GroupEvent> {
        Vec::new()
    }

    /// Returns the events from number `from` on, of those that are kept; `None` begins to keep
    /// them, and returns none. The [`version`](Self::version) is raised after each. Default: there
    /// are none, and will be none.
    fn events_from(&self, from: Option<u64>) -> EventsFrom {
        EventsFrom { next: from.unwrap_or_default(), is_over: true, ..EventsFrom::default() }
    }

    /// Returns a number that grows with every change. It is raised after the change, so that an
    /// observer that it wakes sees it.
    fn version(&self) -> &Level;

    /// Returns the manager's step. Default: that of the snapshot.
    fn step(&self) -> Step {
        self.snapshot().step
    }

    /// Returns whether the group is ready, and if not, why. Default: that of the snapshot.
    fn readiness(&self) -> Readiness {
        self.snapshot().readiness
    }

    /// Returns whether a stop may lose requests for want of a drain; see [`Group::lacks_drain`].
    /// Default: `false`.
    fn lacks_drain(&self) -> bool {
        false
    }
}

/// Some events of a group; see [`GroupView::events_from`].
#[derive(Clone, Debug, Default)]
pub struct EventsFrom {
    /// The events, in their order.
    pub events: Vec<GroupEvent>,
    /// How many came before these and are not kept any more.
    pub missed: u64,
    /// The number of the event that will come next.
    pub next: u64,
    /// Whether the group has ended, and these are the last.
    pub is_over: bool,
}

/// The group of a task that has none.
struct Alone(Level);

impl GroupView for Alone {
    fn snapshot(&self) -> GroupSnapshot {
        GroupSnapshot::default()
    }

    fn version(&self) -> &Level {
        &self.0
    }
}
