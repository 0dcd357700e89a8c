//! A handle that shows who leads, and asks a leader to step down.

use std::{borrow::Cow, fmt, sync::Arc, sync::atomic::Ordering::Relaxed};

use tracing::info;

use crate::{Times, machine::Machine, shared::Shared};

/// Shows who leads, and asks a leader to step down. Returned by
/// [`Leading::handle`](crate::Leading::handle). It is cheap to clone.
///
/// It displays as metrics in the text format of Prometheus, whose names begin with `task_lead_` and
/// which have the label `lock`: a source for `task-http` is `text_source(move ||
/// handle.to_string())`. An alert is for `sum by (lock) (task_lead_is_leader) != 1`, for longer
/// than a lease.
///
/// What it shows is what this replica knows, which may be out of date by a retry.
///
/// # Examples
///
/// ```
/// use task_leader::{MemoryLock, leading};
///
/// let purge = leading("purge", MemoryLock::new(), async |_term, _ctx| Ok(()));
/// let handle = purge.handle();
/// assert!(!handle.is_leader() && handle.holder().is_none());
/// assert!(handle.to_string().contains("task_lead_is_leader{lock=\"purge\"} 0\n"));
/// ```
#[derive(Clone)]
pub struct LeadHandle(Arc<Shared>);

impl LeadHandle {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self(shared)
    }

    /// Returns whether this replica leads: its lease is valid, and it was not asked to step down.
    pub fn is_leader(&self) -> bool {
        self.term().is_some()
    }

    /// Returns the number of the term in which this replica leads.
    pub fn term(&self) -> Option<u64> {
        self.0.with(|machine, now| {
            machine.look(now);
            let is_asked_to_end = machine.end_of_lead().is_none_or(|(_, why)| why.is_some());
            machine.lead().filter(|_| !is_asked_to_end).map(|(term, _)| term)
        })
    }

    /// Returns the identity of the replica that leads; `None` if it is not known, or nobody does.
    pub fn holder(&self) -> Option<String> {
        self.0.with(|machine, _| match machine.lead() {
            Some(_) => Some(machine.identity().to_owned()),
            None => machine.holder().map(|(holder, ..)| holder.to_owned()),
        })
    }

    /// Returns this replica's own identity: its name and random digits, other ones in each process.
    pub fn identity(&self) -> String {
        self.0.with(|machine, _| machine.identity().to_owned())
    }

    /// Waits until what this handle shows may have changed since this call: another leader, another
    /// term, the end of the task. Returns at once if the task has ended.
    ///
    /// To miss nothing, call it, look, and then await the future.
    ///
    /// # Cancel safety
    ///
    /// The future is cancel safe. Dropping it loses no change that a look would not show.
    pub fn changed(&self) -> impl Future<Output = ()> + Send + '_ {
        let next = self.0.changes.get() + 1;
        async move {
            if !self.0.is_over() {
                self.0.changes.reached(next).await;
            }
        }
    }

    /// Asks this replica to lead no more, and returns whether it leads. The inner task is asked to
    /// end, and dropped after [`Times::stop_budget`]; then the lease is released, and this replica
    /// waits for two retries before it tries to lead again.
    pub fn step_down(&self, reason: impl Into<Cow<'static, str>>) -> bool {
        let is_asked = self.0.notify(Machine::step_down);
        if is_asked {
            let reason = reason.into();
            info!(target: "task", lock = self.0.lock, %reason, "is asked to step down");
        }
        is_asked
    }

    /// Returns whether the task has ended, or was dropped without being run.
    pub fn is_ended(&self) -> bool {
        self.0.is_over()
    }

    fn family(
        &self,
        f: &mut fmt::Formatter<'_>,
        (name, kind, help): (&str, &str, &str),
        values: &[(&str, f64)],
    ) -> fmt::Result {
        writeln!(f, "# HELP task_lead_{name} {help}\n# TYPE task_lead_{name} {kind}")?;
        let mut lock = String::new();
        for char in self.0.lock.chars() {
            match char {
                '\\' | '"' => lock.extend(['\\', char]),
                '\n' => lock.push_str("\\n"),
                char => lock.push(char),
            }
        }
        for (label, value) in values {
            writeln!(f, "task_lead_{name}{{lock=\"{lock}\"{label}}} {value}")?;
        }
        Ok(())
    }
}

impl fmt::Display for LeadHandle {
    #[allow(clippy::cast_precision_loss, reason = "a counter of a metric is a float")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let term = self.term();
        let valid =
            term.and_then(|term| self.0.validity(term).ok()).map(|left| left + Times::MARGIN);
        let tally = &self.0.tally;
        let load = |counter: &std::sync::atomic::AtomicU64| counter.load(Relaxed) as f64;
        let is_leader = f64::from(u8::from(term.is_some()));
        self.family(f, ("is_leader", "gauge", "Whether this replica leads."), &[("", is_leader)])?;
        let number = self.0.with(|machine, _| machine.term());
        self.family(f, ("term", "gauge", "The last known term."), &[("", number as f64)])?;
        self.family(
            f,
            ("valid_seconds", "gauge", "For how long the lease of this replica is valid."),
            &[("", valid.unwrap_or_default().as_secs_f64())],
        )?;
        self.family(
            f,
            ("renew_seconds", "gauge", "How long the last renewal took."),
            &[("", load(&tally.renewal_micros) / 1e6)],
        )?;
        self.family(
            f,
            ("terms_total", "counter", "Terms that began on this replica."),
            &[("", load(&tally.terms))],
        )?;
        self.family(
            f,
            ("losses_total", "counter", "Terms that ended otherwise than in order."),
            &[
                (",why=\"deadline\"", load(&tally.deadlines)),
                (",why=\"taken\"", load(&tally.taken)),
            ],
        )?;
        self.family(
            f,
            ("attempts_failed_total", "counter", "Attempts to reach the lock that failed."),
            &[("", load(&tally.failed_attempts))],
        )
    }
}

impl fmt::Debug for LeadHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LeadHandle").field("lock", &self.0.lock).finish_non_exhaustive()
    }
}
