//! The children of a task, as its manager sees them.

/// What a manager sees of the children of a task: futures that a wrapper spawned for it, which keep
/// the task from having ended. Registered by
/// [`Context::add_children`](crate::Context::add_children).
///
/// No method may block or panic. They are called from any thread, such as the one that keeps the
/// deadlines while every worker of the runtime is blocked, and outside of the manager's locks.
pub trait ChildrenView: Send + Sync + 'static {
    /// Returns how many children are alive.
    fn count(&self) -> usize;

    /// Returns the names of at most `limit` children that are alive, the oldest first, with their
    /// status.
    fn living(&self, limit: usize) -> Living;

    /// Drops the futures of all children, each at its next await: their task is aborted. That is a
    /// failure unless it `was_requested`, which is not so where a time has passed.
    fn abort(&self, was_requested: bool);
}

/// The children of a task that are alive. Returned by [`ChildrenView::living`].
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Living {
    /// The names of the oldest, with their status in parentheses.
    pub names: Vec<String>,
    /// How many there are in addition.
    pub more: usize,
}

impl Living {
    /// Creates the description of no children.
    pub fn new() -> Self {
        Self::default()
    }
}
