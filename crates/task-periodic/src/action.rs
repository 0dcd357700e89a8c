//! What a periodic task does at each run.
//!
//! The bound on closures has two parts. `AsyncFn` gives the compiler the closure's signature, so
//! that it needs no annotation, and rejects closures that mutate what they captured. [`Action`]
//! then calls a *clone* of the closure: the future of an async closure that is called by reference
//! borrows from it, and stable Rust cannot state that such a future is `Send`; called by value, the
//! future owns its captures and has a type that can be named.

use std::{fmt, future::ready};

use task_core::Context;

/// What a periodic task does at each run.
///
/// # Closures
///
/// Async closures are actions, without annotations, and so are `async fn`s that take a [`Context`].
/// What a closure captures must be `Clone`, because each run calls a clone: capture pools, clients
/// and `Arc`s. A plain closure that returns a future works too, if its argument is annotated:
/// `|ctx: Context| async move { … }`.
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
/// A closure that mutates its captured values does not compile, because each run would begin with
/// the original values. Use [`stateful`], or a type that implements the trait.
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
/// A type implements the trait to keep state from run to run:
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
    /// Performs one run. Runs of one task never overlap: the future of a run has ended, or has been
    /// dropped, before the next run begins.
    ///
    /// What the run has started elsewhere is not part of it: a spawned task, a thread, or the
    /// closure of a `spawn_blocking`, which goes on after the future that awaits it was dropped by
    /// a timeout, beside the next run and after the task. Code that blocks belongs into a
    /// [`blocking`](crate::blocking) action. What else outlives a run keeps a
    /// [`Hold`](task_core::Hold), or the task ends without it.
    ///
    /// `ctx` is the task's context. A stop does not drop the run: a run that takes long should
    /// check [`ctx.cancelled()`](Context::cancelled), or wrap an await that may be dropped in
    /// [`ctx.or_cancelled(…)`](Context::or_cancelled) and return its error.
    ///
    /// After a panic or a [timeout](crate::PeriodicTask::run_timeout), the next run finds `self` as
    /// the failed run left it.
    ///
    /// # Errors
    ///
    /// An error fails the run; [`OnFailure`](crate::OnFailure) decides what that means for the
    /// task.
    ///
    /// # Cancel safety
    ///
    /// The future is dropped at its next await when the run times out, or when the manager aborts
    /// the task at its deadline. Nothing else drops it.
    ///
    /// # Examples
    ///
    /// A run that stops early and cleanly:
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use task_core::Context;
    /// # use task_periodic::LoopTask;
    /// # async fn next_page() -> anyhow::Result<Option<String>> { Ok(None) }
    /// # async fn store(_: String) -> anyhow::Result<()> { Ok(()) }
    /// let import = LoopTask::new("import", Duration::from_secs(60), async |ctx: Context| {
    ///     // Waiting for a page may be interrupted; storing it may not.
    ///     while let Some(page) = ctx.or_cancelled(next_page()).await?? {
    ///         store(page).await?;
    ///     }
    ///     Ok(())
    /// })?;
    /// # Ok::<_, task_periodic::PeriodicError>(())
    /// ```
    fn run(&mut self, ctx: Context) -> impl Future<Output = anyhow::Result<()>> + Send;

    /// Waits for the thread of an abandoned run. Not for use elsewhere: it is what
    /// [`blocking`](crate::blocking) does, and a dropped call is repeated.
    #[doc(hidden)]
    fn settled(&mut self) -> impl Future<Output = ()> + Send {
        ready(())
    }
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

/// Creates an action from a state and an async closure that may mutate it.
///
/// The state outlives failed runs: a run that fails, panics or times out leaves it as it is. What
/// the closure captures must be `Clone`. A method works as well:
/// `stateful(Tail::new(), Tail::advance)`.
///
/// # Examples
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
pub fn stateful<S, F>(state: S, function: F) -> Stateful<S, F>
where
    S: Send + 'static,
    F: AsyncFn(&mut S, Context) -> anyhow::Result<()> + for<'a> StatefulFn<'a, S> + Send + 'static,
{
    Stateful { state, function }
}

/// An action with a state, returned by [`stateful`].
pub struct Stateful<S, F> {
    state: S,
    function: F,
}

impl<S, F> Action for Stateful<S, F>
where
    S: Send + 'static,
    F: for<'a> StatefulFn<'a, S> + Send + 'static,
{
    fn run(&mut self, ctx: Context) -> impl Future<Output = anyhow::Result<()>> + Send {
        self.function.begin(&mut self.state, ctx)
    }
}

impl<S: fmt::Debug, F> fmt::Debug for Stateful<S, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stateful").field("state", &self.state).finish_non_exhaustive()
    }
}

/// The closures that [`stateful`] accepts. Not for use elsewhere: it only names a future that
/// borrows the state, so that the future can be required to be `Send`.
#[doc(hidden)]
pub trait StatefulFn<'a, S: 'a> {
    /// The future of one run.
    type Run: Future<Output = anyhow::Result<()>> + Send + 'a;

    /// Begins one run.
    fn begin(&self, state: &'a mut S, ctx: Context) -> Self::Run;
}

impl<'a, S, F, Fut> StatefulFn<'a, S> for F
where
    S: 'a,
    F: FnOnce(&'a mut S, Context) -> Fut + Clone,
    Fut: Future<Output = anyhow::Result<()>> + Send + 'a,
{
    type Run = Fut;

    fn begin(&self, state: &'a mut S, ctx: Context) -> Fut {
        self.clone()(state, ctx)
    }
}
