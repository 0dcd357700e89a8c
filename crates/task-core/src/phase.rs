//! The place of a task in the order of the shutdown.

/// The place of a task in the order of the shutdown: ingress, then workers, then support (metrics,
/// probes).
///
/// A phase is a number from 0 to 255. All tasks of one phase are stopped at once. The next higher
/// phase that has tasks is stopped once all of them have ended or were abandoned. The named phases
/// suit most services, and any other number goes between or beyond them.
///
/// | tasks | phase |
/// |---|---|
/// | the setup of a service, while it runs | [`SETUP`](Self::SETUP), 0 |
/// | servers, listeners | [`INGRESS`](Self::INGRESS), 50 |
/// | consumers, loops, jobs | [`WORK`](Self::WORK), 100, the default |
/// | signals, metrics, probes | [`SUPPORT`](Self::SUPPORT), 200 |
///
/// What must be closed after every task, such as a database, is a cleanup of the manager and not a
/// task.
///
/// # Examples
///
/// ```
/// use task_core::Phase;
///
/// /// Stopped after the consumers, before metrics and probes.
/// const BATCHER: Phase = Phase::new(150);
///
/// assert!(Phase::INGRESS < Phase::WORK && Phase::WORK < BATCHER && BATCHER < Phase::SUPPORT);
/// assert!(Phase::new(230).is_support() && !BATCHER.is_support());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Phase(u8);

impl Phase {
    /// The phase of a service's setup, which is stopped before everything that it has started.
    /// Number 0. A group neither goes on nor drains for it.
    pub const SETUP: Self = Self(0);
    /// The phase of tasks that accept new work, such as servers. Number 50.
    pub const INGRESS: Self = Self(50);
    /// The phase of tasks that do the work: consumers, loops, jobs. Number 100, and the default of
    /// every task.
    pub const WORK: Self = Self(100);
    /// The phase of tasks that support the others: signals, metrics, probes. Number 200; see
    /// [`is_support`](Self::is_support).
    pub const SUPPORT: Self = Self(200);

    /// Creates a phase from its number. Every number is valid.
    pub const fn new(number: u8) -> Self {
        Self(number)
    }

    /// Returns the phase's number.
    pub const fn number(self) -> u8 {
        self.0
    }

    /// Returns whether tasks of this phase only support others: [`SUPPORT`](Self::SUPPORT) and
    /// above.
    ///
    /// A group that is waited for, and whose other tasks have all ended, has completed: its support
    /// tasks are then stopped. A group that never had another task goes on.
    pub const fn is_support(self) -> bool {
        self.0 >= Self::SUPPORT.0
    }
}

impl Default for Phase {
    /// Returns [`Phase::WORK`].
    fn default() -> Self {
        Self::WORK
    }
}
