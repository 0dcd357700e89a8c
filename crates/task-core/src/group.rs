//! The read-only view of a group.

use std::{fmt, sync::Arc};

use crate::{GroupSnapshot, Readiness, Step, level::Level};

/// A read-only view of a manager's group, cheap to clone. It keeps the group's records alive, not its tasks running.
///
/// ```
/// # use task_core::{Context, Step};
/// async fn report_changes(ctx: Context) -> anyhow::Result<()> {
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
    /// Makes a view of its source. [`changed`](Self::changed) starts from now.
    pub fn new(view: Arc<dyn GroupView>) -> Self {
        let seen = view.version().get();
        Self { view, seen }
    }

    /// Makes the view of a task that has no group.
    pub fn alone() -> Self {
        Self::new(Arc::new(Alone(Level::new())))
    }

    /// Returns everything at one instant. It copies, so it costs time in proportion to the tasks that are alive, and to
    /// those that have ended since a shutdown began, 4,096 at most.
    pub fn snapshot(&self) -> GroupSnapshot {
        self.view.snapshot()
    }

    /// Returns where the manager stands.
    pub fn step(&self) -> Step {
        self.view.step()
    }

    /// Returns whether the group is ready, and if not, why.
    pub fn readiness(&self) -> Readiness {
        self.view.readiness()
    }

    /// Resolves when something has changed since this value last looked: since it was made, or since its last
    /// `changed`. Changes in quick succession may count as one, and it may resolve when nothing visible has changed.
    /// Once the step is [`Ended`](Step::Ended) it need not resolve any more.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: no change is lost if it is dropped.
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

/// Where a [`Group`] gets what it shows. Managers and test kits implement it; no method may block or panic.
pub trait GroupView: Send + Sync + 'static {
    /// Returns everything at one instant.
    fn snapshot(&self) -> GroupSnapshot;

    /// Returns a number that grows with every change.
    fn version(&self) -> &Level;

    /// Returns where the manager stands.
    fn step(&self) -> Step {
        self.snapshot().step
    }

    /// Returns whether the group is ready, and if not, why.
    fn readiness(&self) -> Readiness {
        self.snapshot().readiness
    }
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
