//! The task that leads: its constructors and its options.

use std::{
    borrow::Cow,
    fmt,
    hash::{BuildHasher, Hasher, RandomState},
    sync::{Arc, Mutex},
};

use task_core::{Context, Task, task_fn};

use crate::{
    LeadHandle, OnLoss, Register, Term, Times,
    lead::{Factory, Options, lead},
    shared::{Life, Shared},
    sync as mutex,
};

/// The exit code of a process that is ended because the lease would outlast its work.
pub(crate) const LEAD_LOST: u8 = 5;

/// Creates a task that runs `function` in one of the replicas: once per term, in which this replica
/// leads. All replicas have to use the same lock, and nothing else may use it.
///
/// `name` is the name of the task, and of the lock in log and metrics.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use task_core::{Context, Task};
/// use task_leader::{MemoryLock, Term, leading};
/// use tokio::time::sleep;
/// # async fn purge_once(_: u64) -> anyhow::Result<()> { Ok(()) }
///
/// let purge = leading("purge", MemoryLock::new(), async |term: Term, ctx: Context| {
///     while ctx.or_cancelled(sleep(Duration::from_secs(60))).await.is_ok() {
///         purge_once(term.number()).await?; // refused if a higher term was seen
///     }
///     Ok(())
/// });
/// assert_eq!(purge.name(), "purge");
/// // manager.run(purge)?;
/// ```
pub fn leading<R, F, Fut>(name: impl Into<Cow<'static, str>>, lock: R, function: F) -> Leading<R>
where
    R: Register,
    F: FnMut(Term, Context) -> Fut + Send + 'static,
    Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let (name, function) = (name.into(), Arc::new(Mutex::new(function)));
    let inner = name.clone();
    leading_task(name, lock, move |term| {
        let function = Arc::clone(&function);
        Ok(task_fn(inner.clone(), move |ctx| mutex::lock(&function)(term, ctx)))
    })
}

/// Creates a task that runs a task of `factory` in one of the replicas: a new one in each term. It
/// is [`leading`] for tasks that are more than a function, such as a periodic or a restarting one.
///
/// An inner task that is restarted keeps the lease over its restarts. The factory is called on the
/// runtime and must not block; its error is that of the task.
///
/// # Examples
///
/// ```
/// use task_core::{Context, task_fn};
/// use task_leader::{MemoryLock, leading_task};
///
/// let purge = leading_task("purge", MemoryLock::new(), |term| {
///     Ok(task_fn("purge", async move |ctx: Context| {
///         ctx.set_status(format!("purges with fence {}", term.number()));
///         ctx.cancelled().await;
///         Ok(())
///     }))
/// });
/// # drop(purge);
/// ```
pub fn leading_task<R, F, T>(
    name: impl Into<Cow<'static, str>>,
    lock: R,
    mut factory: F,
) -> Leading<R>
where
    R: Register,
    F: FnMut(Term) -> anyhow::Result<T> + Send + 'static,
    T: Task,
{
    let name = name.into();
    let shared = Shared::new(name.to_string(), identity(&host_name()), Times::default(), random());
    Leading {
        name,
        register: lock,
        factory: Box::new(move |term| Ok(factory(term)?.boxed())),
        options: Options { on_loss: OnLoss::default(), fuse: Some(LEAD_LOST) },
        life: Life(Arc::new(shared)),
    }
}

/// A task that runs in one of the replicas. Returned by [`leading`] and [`leading_task`].
///
/// # Terms
///
/// - The inner task runs for as long as this replica leads, in a context of its own. It is asked to
///   end when the group stops, when the lease could not be renewed until the
///   [deadline](Times::deadline), and when the replica is asked to
///   [step down](LeadHandle::step_down). After a loss,
///   [`remaining`](task_core::Context::remaining) is the time until it is dropped, 1 s before the
///   end of the lease.
/// - The term is over when the future of the inner task is dropped *and* its last
///   [`Hold`](task_core::Hold) released: a [`blocking_task`](task_core::blocking_task) counts. Until
///   then the lease is renewed, unless it was lost; then it is released, so that another replica
///   leads at once, if its backend notifies it of changes, or within a retry.
/// - The lease is renewed in the future of the task itself. An inner task that blocks its thread
///   loses the lease.
/// - If the inner task returns `Ok`, the task ends. If it fails or panics, the task fails, and the
///   group stops; another replica takes over. An error beside a loss is logged and counted: it is
///   most likely that of a write that was refused.
/// - From the drain on, no further term begins.
///
/// # The end of the process
///
/// If anything of a term is alive 500 ms before the end of its lease, as with every worker of the
/// runtime blocked, the manager's deadline thread ends the process with code 5
/// ([`exit_code`](Self::exit_code)) and one line on stderr. It does that if the manager has a hard
/// exit, as that of `task_service::main` has; a manager without one leaves the process alive, and
/// only the fence is left. A follower's process is never ended.
///
/// # Readiness
///
/// The task is ready once the lock has answered for the first time, as a follower too: a rollout
/// waits for all replicas. What the inner task says about its readiness is ignored.
///
/// # Report, view and log
///
/// The status says who leads, in which term, or for how long the lock cannot be reached; behind
/// that stands the status of the inner task. A loss is counted ([`LeadHandle`]) and logged, and in
/// the report if [`on_loss`](Self::on_loss) says so. The events have the target `task` and the field
/// `lock`:
///
/// | level | message | fields |
/// |---|---|---|
/// | `INFO` | `follows` | `holder`, `term` |
/// | `INFO` | `leads` | `term` |
/// | `INFO` | `leads no more`, `has stepped down` | `term`, `led_for` |
/// | `WARN` | `has lost the lead` | `term`, `led_for`, `why` |
/// | `ERROR` | `the task failed as its term ended` | `term`, `error` |
/// | `WARN` | `cannot reach the lock` | `error`; once, until it is reached |
/// | `INFO` | `reaches the lock again` | `after` |
///
/// Times are in seconds.
///
/// # Panics
///
/// The task panics if it runs on a Tokio runtime without timers.
///
/// # Cancel safety
///
/// Dropping the task's future drops the inner task at its current await, and cancels its context.
/// The lease is not released but runs out. The end of the process stays armed until the last hold
/// of the inner task is released.
#[must_use = "a task does nothing until a manager runs it"]
pub struct Leading<R> {
    name: Cow<'static, str>,
    register: R,
    factory: Factory,
    options: Options,
    life: Life,
}

impl<R> Leading<R> {
    /// Sets the times of the lease. Default: a lease of 15 s, a deadline of 10 s, a retry of 2 s.
    pub fn times(self, times: Times) -> Self {
        self.life.0.with(|machine, _| machine.set_times(times));
        self
    }

    /// Sets the name by which the other replicas show this one, such as that of the pod. Random
    /// digits are added, so that two replicas, or two processes of one, never have the same
    /// identity. Control characters become spaces. Default: the name of the host.
    pub fn identity(self, name: &str) -> Self {
        self.life.0.with(|machine, _| machine.set_identity(identity(name)));
        self
    }

    /// Sets what a loss means. Default: [`OnLoss::Campaign`].
    pub fn on_loss(mut self, on_loss: OnLoss) -> Self {
        self.options.on_loss = on_loss;
        self
    }

    /// Sets the exit code with which the process is ended before the lease can be another's while
    /// something of the term is still alive. Default: 5.
    pub fn exit_code(mut self, code: u8) -> Self {
        self.options.fuse = Some(code);
        self
    }

    /// Leaves the process alive, whatever is still alive of a term that is over: only for work
    /// that is fenced.
    pub fn without_exit(mut self) -> Self {
        self.options.fuse = None;
        self
    }

    /// Returns a handle that shows who leads, and asks this replica to step down.
    pub fn handle(&self) -> LeadHandle {
        LeadHandle::new(Arc::clone(&self.life.0))
    }
}

impl<R: Register> Task for Leading<R> {
    fn name(&self) -> Cow<'static, str> {
        self.name.clone()
    }

    async fn run(self, ctx: Context) -> anyhow::Result<()> {
        let Self { name: _, register, factory, options, life } = self;
        lead(register, factory, options, life, ctx).await
    }
}

impl<R> fmt::Debug for Leading<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leading")
            .field("name", &self.name)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// Returns a name with 64 random bits, which no other process has. Control characters become
/// spaces, as not every register can keep them.
fn identity(name: &str) -> String {
    let name = name.replace(char::is_control, " ");
    format!("{name}-{:016x}", random())
}

/// The keys of the standard library's maps are the system's randomness, which a seed that is made
/// of the time is not: two replicas may start at once.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

#[cfg(unix)]
fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

#[cfg(not(unix))]
fn host_name() -> String {
    std::env::var("COMPUTERNAME").unwrap_or_else(|_| "replica".into())
}
