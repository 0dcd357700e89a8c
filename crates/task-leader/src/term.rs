//! The term that a task leads in.

use std::{fmt, sync::Arc, time::Duration};

use crate::{TermOver, shared::Shared};

/// The term in which a task leads. Terms of one lock have numbers that only grow, so a number
/// *fences* what is written: a database that stores the highest number that it has seen, and
/// refuses lower ones, takes no write of a leader that was replaced.
///
/// # Examples
///
/// ```
/// use task_core::Context;
/// use task_leader::Term;
/// # async fn execute(_: &str, _: u64) -> anyhow::Result<u64> { Ok(1) }
///
/// async fn purge(term: Term, ctx: Context) -> anyhow::Result<()> {
///     while !ctx.is_cancelled() {
///         term.check()?; // spares the statement; the fence is what makes sure
///         let sql = "update purge set done = done + 1, term = $1 where term <= $1";
///         anyhow::ensure!(execute(sql, term.number()).await? == 1, "another replica leads");
///     }
///     Ok(())
/// }
/// ```
#[derive(Clone)]
pub struct Term {
    number: u64,
    shared: Arc<Shared>,
}

impl Term {
    pub(crate) fn new(number: u64, shared: Arc<Shared>) -> Self {
        Self { number, shared }
    }

    /// Returns the number. It fits into a signed 64-bit integer with every backend of this crate.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Returns for how long the lease is valid if it is not renewed, less 1 s: until the task is
    /// dropped. Zero once the term is over.
    pub fn valid_for(&self) -> Duration {
        self.shared.validity(self.number).unwrap_or_default()
    }

    /// Looks at the clock before work that should not be done by two. What is sent right after it
    /// may still arrive after the end of the lease, if the process is stopped in between: only a
    /// fence excludes that.
    ///
    /// # Errors
    ///
    /// Fails if the term is over, or was lost.
    pub fn check(&self) -> Result<(), TermOver> {
        let over = |why| TermOver { lock: self.shared.lock.clone(), term: self.number, why };
        self.shared.validity(self.number).map(drop).map_err(over)
    }
}

impl fmt::Debug for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Term").field("number", &self.number).finish_non_exhaustive()
    }
}
