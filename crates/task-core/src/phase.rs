//! When a task is stopped, relative to the others.

/// The position of a task in the order of stopping: lower phases are stopped first, and the next phase only when all
/// tasks of the one before have ended or were given up.
///
/// All tasks of one phase are stopped at once. The three named phases fit most services; any other number stands
/// between or beside them.
///
/// ```
/// # use task_core::Phase;
/// const BATCHER: Phase = Phase::new(150); // stopped after the consumers, before metrics and probes
/// assert!(Phase::INGRESS < Phase::WORK && Phase::WORK < BATCHER && BATCHER < Phase::SUPPORT);
/// assert!(Phase::new(230).is_support() && !BATCHER.is_support());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Phase(u8);

impl Phase {
    /// What lets new work in: a server that takes requests. Number 0.
    pub const INGRESS: Self = Self(0);
    /// What does the work: consumers, loops, jobs. Number 100, and the default of every task.
    pub const WORK: Self = Self(100);
    /// What watches the others: signals, metrics, probes. Number 200; see [`is_support`](Self::is_support).
    pub const SUPPORT: Self = Self(200);

    /// Makes a phase of its number. Every number is valid.
    pub const fn new(number: u8) -> Self {
        Self(number)
    }

    /// Returns the phase's number.
    pub const fn number(self) -> u8 {
        self.0
    }

    /// Tells whether tasks of this phase only support others ([`SUPPORT`](Self::SUPPORT) and above): a group that
    /// is waited for, and has no other task left of those it had, has completed.
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
