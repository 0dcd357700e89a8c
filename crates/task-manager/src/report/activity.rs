//! What kept a task from having ended when it was abandoned.

/// What kept a task or a cleanup from having ended when it was abandoned, as far as the manager
/// knew at that instant.
///
/// So what blocks a runtime is not confused with what only waits for it: a future whose poll had
/// not returned held its thread, while one that is [`NotReached`](Self::NotReached) was idle, and
/// no thread of its runtime got to drop it.
///
/// # Examples
///
/// ```
/// use task_manager::{Activity, FailureKind, Manager, task_fn};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> anyhow::Result<()> {
/// let manager = Manager::new();
/// manager.run(task_fn("exporter", async |ctx| {
///     let hold = ctx.hold();
///     std::thread::spawn(move || {
///         std::thread::park(); // a call that never returns
///         drop(hold);
///     });
///     std::future::pending().await
/// }))?;
/// # tokio::task::yield_now().await;
/// let error = manager.shutdown().await.unwrap_err();
/// let FailureKind::Abandoned { activity, .. } = error.root().unwrap().kind else { panic!() };
/// assert_eq!(activity, Activity::Held);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Activity {
    /// A poll of its future had not returned. It held its thread, unless by way of
    /// `block_in_place`.
    InPoll,
    /// The drop of its future had not returned. It held its thread.
    InDrop,
    /// Its future was idle or gone, but a [`Hold`](task_core::Hold) was kept: by a thread, as that
    /// of a `blocking_task`, by another task, or by the group that it is.
    Held,
    /// Its future was idle and was to be dropped, but its runtime did not get to it.
    NotReached,
    /// Not known: of the setup, which the manager does not run, and of an idle task inside a nested
    /// group when the outer group went on without it.
    Unknown,
}

impl Activity {
    /// Returns its stable name in lower case, as the data of a report has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InPoll => "in_poll",
            Self::InDrop => "in_drop",
            Self::Held => "held",
            Self::NotReached => "not_reached",
            Self::Unknown => "unknown",
        }
    }

    /// Returns whether it held a thread.
    pub(crate) fn holds_thread(self) -> bool {
        matches!(self, Self::InPoll | Self::InDrop)
    }

    /// Returns what follows "was abandoned".
    pub(super) fn clause(self) -> &'static str {
        match self {
            Self::InPoll => " in a poll that had not returned",
            Self::InDrop => " in a drop that had not returned",
            Self::Held => " with a hold on it still kept",
            Self::NotReached => " before its runtime got to it",
            Self::Unknown => "",
        }
    }
}
