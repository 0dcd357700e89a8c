//! What a periodic task does at each run.
//!
//! The bound on closures is made of two parts. `AsyncFn` gives the compiler the closure's signature, so that nobody
//! has to annotate it, and refuses closures that change what they captured. [`Action`] then calls a *clone* of the
//! closure: the future of an async closure that is called by reference borrows from it, and stable Rust has no way to
//! say that such a future is `Send`; called by value it owns what it needs and has a type that can be named.

use std::fmt;

use task_core::Context;

/// What a periodic task does at each run.
///
/// # Closures
///
/// Async closures are actions, with no annotations, and so are `async fn`s that take a [`Context`]. What a closure
/// captured must be `Clone`, because each run works on a clone: capture pools, clients and `Arc`s. (A plain closure
/// that returns a future works too, with its argument annotated: `|ctx: Context| async move { … }`.)
///
/// ```
/// # use std::{sync::Arc, time::Duration};
/// # use task_periodic::PollTask;
/// # struct Cache; impl Cache { async fn refresh(&self) -> anyhow::Result<()> { Ok(()) } }
/// # let cache = Arc::new(Cache);
/// let refresh = PollTask::new("refresh", Duration::from_secs(30), async move |_| cache.refresh().await)?;
/// # Ok::<_, task_periodic::PeriodicError>(())
/// ```
///
/// A closure that changes its captured values does not compile, as each run would begin with the old ones. Use
/// [`stateful`], or a type of your own.
///
/// ```compile_fail,E0594
/// # use std::time::Duration;
/// # use task_periodic::PollTask;
/// let mut runs = 0;
/// let count = PollTask::new("count", Duration::from_secs(30), async move |_| { runs += 1; Ok(()) })?;
/// # Ok::<_, task_periodic::PeriodicError>(())
/// ```
///
/// # Types
///
/// A type implements it to keep state from run to run:
///
/// ```
/// # use std::time::Duration;
/// # use task_core::Context;
/// # use task_periodic::{Action, LoopTask};
/// struct Tail { offset: u64 }
///
/// impl Action for Tail {
///     async fn run(&mut self, _ctx: Context) -> anyhow::Result<()> {
///         self.offset += 1;
///         Ok(())
///     }
/// }
///
/// let tail = LoopTask::with_action("tail", Duration::from_secs(1), Tail { offset: 0 })?;
/// # Ok::<_, task_periodic::PeriodicError>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an action of a periodic task",
    note = "an action is an async closure that takes a `Context` and returns `anyhow::Result<()>`",
    note = "what the closure captures must be `Clone + Send + 'static`, and its future `Send`"
)]
pub trait Action: Send + 'static {
    /// Does one run. Runs of one task never overlap.
    ///
    /// `ctx` is the task's own. A stop does not drop the run: one that takes long should look at
    /// [`ctx.cancelled()`](Context::cancelled), or await what may be given up in
    /// [`ctx.or_cancelled(…)`](Context::or_cancelled), whose error it returns.
    ///
    /// After a panic or a [timeout](crate::PeriodicTask::run_timeout), the next run meets `self` as the last one left it.
    ///
    /// # Errors
    ///
    /// Whatever made the run fail; [`OnFailure`](crate::OnFailure) says what becomes of the task.
    fn run(&mut self, ctx: Context) -> impl Future<Output = anyhow::Result<()>> + Send;
}

impl<F, Fut> Action for F
where
    F: AsyncFn(Context) -> anyhow::Result<()> + FnOnce(Context) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    fn run(&mut self, ctx: Context) -> impl Future<Output = anyhow::Result<()>> + Send {
        self.clone()(ctx)
    }
}

/// Makes an action of a state and an async closure that may change it.
///
/// ```
/// # use std::time::Duration;
/// # use task_periodic::{LoopTask, stateful};
/// # async fn read_from(offset: u64) -> anyhow::Result<u64> { Ok(1) }
/// let action = stateful(0, async |offset, _ctx| {
///     *offset += read_from(*offset).await?;
///     Ok(())
/// });
/// let tail = LoopTask::with_action("tail", Duration::from_secs(1), action)?;
/// # Ok::<_, task_periodic::PeriodicError>(())
/// ```
///
/// A method does as well: `stateful(Tail::new(), Tail::advance)`. What the closure captures must be `Clone`.
pub fn stateful<S, F>(state: S, function: F) -> Stateful<S, F>
where
    S: Send + 'static,
    F: AsyncFn(&mut S, Context) -> anyhow::Result<()> + for<'a> Step<'a, S> + Send + 'static,
{
    Stateful { state, function }
}

/// An action with a state: what [`stateful`] returns.
pub struct Stateful<S, F> {
    state: S,
    function: F,
}

impl<S, F> Action for Stateful<S, F>
where
    S: Send + 'static,
    F: for<'a> Step<'a, S> + Send + 'static,
{
    fn run(&mut self, ctx: Context) -> impl Future<Output = anyhow::Result<()>> + Send {
        self.function.step(&mut self.state, ctx)
    }
}

impl<S: fmt::Debug, F> fmt::Debug for Stateful<S, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stateful").field("state", &self.state).finish_non_exhaustive()
    }
}

/// The closures that [`stateful`] takes. Not for use elsewhere: it only gives a name to a future that borrows the
/// state, so that it can be required to be `Send`.
#[doc(hidden)]
pub trait Step<'a, S: 'a> {
    /// The future of one run.
    type Run: Future<Output = anyhow::Result<()>> + Send + 'a;

    /// Begins one run.
    fn step(&self, state: &'a mut S, ctx: Context) -> Self::Run;
}

impl<'a, S, F, Fut> Step<'a, S> for F
where
    S: 'a,
    F: FnOnce(&'a mut S, Context) -> Fut + Clone,
    Fut: Future<Output = anyhow::Result<()>> + Send + 'a,
{
    type Run = Fut;

    fn step(&self, state: &'a mut S, ctx: Context) -> Fut {
        self.clone()(state, ctx)
    }
}
