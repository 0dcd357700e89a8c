//! The public face of a group of children.

use std::{borrow::Cow, fmt, future::poll_fn, pin::pin, sync::Arc, task::Poll};

use task_core::{Cancelled, Context};

use crate::{
    error::{ChildrenError, ChildrenErrorKind, TrySpawnError},
    group::{Group, Policy},
    handle::{Child, ChildHandle},
    managed::{Judge, Managed},
    member::{End, Member},
    rt::{Handle, JoinHandle, Places},
};

/// The children of a task: a bounded number of futures that belong to it. See the
/// [crate's documentation](crate).
///
/// # Drop
///
/// Dropped, it aborts the children that are left, as a Tokio `JoinSet` does: the drop of a future
/// that was racing another takes its children along. To have them end by themselves, use
/// [`scope`](Self::scope), or [`finish`](Self::finish). The drop does not wait: the task has not
/// ended until the last child has.
///
/// # Examples
///
/// ```
/// use std::{sync::Arc, time::Duration};
/// use task_children::Children;
/// use task_core::{Context, Outcome, scope::StageCell};
/// use tokio::time::sleep;
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> anyhow::Result<()> {
/// let ctx = Context::new(Arc::new(StageCell::new())); // in a task: its own
/// let children = Children::new(&ctx, 2)?;
/// let child = children
///     .spawn("child", async |ctx| {
///         ctx.or_cancelled(sleep(Duration::from_secs(3600))).await?;
///         Ok(())
///     })
///     .await?;
/// child.stop();
/// assert_eq!(child.ended().await, Outcome::Cancelled);
/// children.finish().await?;
/// # Ok(())
/// # }
/// ```
pub struct Children {
    group: Arc<Group>,
    /// What becomes of the children that are left when this is dropped.
    aborts: bool,
}

impl Children {
    /// Creates a group of at most `limit` children that are alive at the same time, on the runtime
    /// of the caller.
    ///
    /// As long as this value or one of its children lives, the task of `ctx` has not ended.
    ///
    /// # Errors
    ///
    /// If `limit` is zero or over `usize::MAX >> 3`, and outside of a Tokio runtime.
    pub fn new(ctx: &Context, limit: usize) -> Result<Self, ChildrenError> {
        if limit == 0 || limit > Places::MAX {
            return Err(ChildrenErrorKind::Limit { limit, max: Places::MAX }.into());
        }
        let Ok(runtime) = Handle::try_current() else {
            return Err(ChildrenErrorKind::NoRuntime.into());
        };
        Ok(Self { group: Group::new(ctx, runtime, limit), aborts: true })
    }

    /// Has a failure of a child logged and counted, and leaves the report clean. Default: it is in
    /// the report.
    ///
    /// Each is an event `child failed` of level `ERROR`, target `task`, with the fields `task`,
    /// `child` and `error`, of which 16 KiB are kept.
    pub fn count_failures(self) -> Self {
        self.group.set_policy(Policy::Count);
        self
    }

    /// Has the first failure of a child fail the task: its group stops at that instant, on the
    /// thread that observes the failure. The other children are asked to end, and no further ones
    /// are taken: [`spawn`](Self::spawn) and [`run`](Self::run) wait until the task is asked to end,
    /// so that their refusal is no failure of its own. Default: the task goes on.
    ///
    /// Where the context cannot fail at once, in a test and in a task that is restarted,
    /// [`scope`](Self::scope) or [`finish`](Self::finish) returns the failure, for the task to
    /// return it. One that neither has returned when the last child has ended and this value is
    /// dropped is recorded. A later failure is recorded, too.
    pub fn fail_fast(self) -> Self {
        self.group.set_policy(Policy::Fail);
        self
    }

    /// Waits for a free place, and spawns a child. Those who wait get their places in the order of
    /// their calls.
    ///
    /// The closure is called once there is a place, on the calling thread. A place is free again
    /// when the child has ended. While the group drains, children are taken as before.
    ///
    /// # Errors
    ///
    /// [`Cancelled`] once the task is asked to end, also while this waits: then `?` ends a loop
    /// cleanly. It is returned as well after [`stop`](Self::stop) or [`abort`](Self::abort). Once a
    /// child has [failed the task](Self::fail_fast), it is returned when the task is asked to end.
    ///
    /// # Panics
    ///
    /// If the closure panics, before it has returned a future. There is no child then.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe: dropped while it waits, it has called nothing and takes no
    /// place.
    pub async fn spawn<F, Fut>(
        &self,
        name: impl Into<Cow<'static, str>>,
        child: F,
    ) -> Result<ChildHandle, Cancelled>
    where
        F: FnOnce(Context) -> Fut,
        Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let member = self.admitted(name.into(), false).await?;
        self.launch(&member, child, |member, result| (member.judge(result), ()));
        Ok(ChildHandle(member))
    }

    /// Spawns a child if a place is free now.
    ///
    /// # Errors
    ///
    /// The closure, uncalled, if [no place is free](TrySpawnError::is_full), or for the reasons that
    /// [`spawn`](Self::spawn) has.
    ///
    /// # Panics
    ///
    /// As [`spawn`](Self::spawn).
    ///
    /// # Examples
    ///
    /// A server that turns away what it has no room for:
    ///
    /// ```
    /// # use task_children::Children;
    /// # use task_core::Context;
    /// # use tokio::net::TcpStream;
    /// # async fn chat(ctx: Context, stream: TcpStream) -> anyhow::Result<()> { Ok(()) }
    /// fn accepted(connections: &Children, stream: TcpStream) -> anyhow::Result<()> {
    ///     let chat = |ctx| chat(ctx, stream);
    ///     match connections.try_spawn("connection", chat) {
    ///         Err(refused) if refused.is_full() => Ok(()), // the stream is dropped and closed
    ///         Err(refused) => anyhow::bail!("{refused}"),
    ///         Ok(_) => Ok(()),
    ///     }
    /// }
    /// ```
    pub fn try_spawn<F, Fut>(
        &self,
        name: impl Into<Cow<'static, str>>,
        child: F,
    ) -> Result<ChildHandle, TrySpawnError<F>>
    where
        F: FnOnce(Context) -> Fut,
        Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        if !self.group.places.try_take() {
            return Err(TrySpawnError { is_full: !self.group.is_closed(), closure: child });
        }
        let Ok(member) = self.group.admit(name.into(), false) else {
            return Err(TrySpawnError { is_full: false, closure: child });
        };
        self.launch(&member, child, |member, result| (member.judge(result), ()));
        Ok(ChildHandle(member))
    }

    /// Waits for a free place, and spawns a child that returns a value of any type. The value is
    /// that of the returned future.
    ///
    /// # Errors
    ///
    /// As [`spawn`](Self::spawn).
    ///
    /// # Panics
    ///
    /// As [`spawn`](Self::spawn).
    ///
    /// # Cancel safety
    ///
    /// As [`spawn`](Self::spawn).
    ///
    /// # Examples
    ///
    /// A fan-out, of which four run at the same time. An error drops the others:
    ///
    /// ```
    /// use task_children::Children;
    /// use task_core::Context;
    /// # async fn fetch(_: &str) -> anyhow::Result<usize> { Ok(1) }
    ///
    /// async fn sizes(ctx: &Context, urls: Vec<String>) -> anyhow::Result<Vec<usize>> {
    ///     let fetches = Children::new(ctx, 4)?;
    ///     let mut running = Vec::new();
    ///     for url in urls {
    ///         let fetch = async move |_| fetch(&url).await;
    ///         running.push(fetches.run("fetch", fetch).await?);
    ///     }
    ///     let mut sizes = Vec::new();
    ///     for fetch in running {
    ///         sizes.push(fetch.await??);
    ///     }
    ///     Ok(sizes)
    /// }
    /// ```
    pub async fn run<F, Fut>(
        &self,
        name: impl Into<Cow<'static, str>>,
        child: F,
    ) -> Result<Child<Fut::Output>, Cancelled>
    where
        F: FnOnce(Context) -> Fut,
        Fut: Future + Send + 'static,
        Fut::Output: Send + 'static,
    {
        let member = self.admitted(name.into(), true).await?;
        let join = self.launch(&member, child, |_, value| (End::Completed, value));
        Ok(Child::new(member, join))
    }

    /// Waits until no child is left. It asks none to end, and further ones may be spawned
    /// meanwhile.
    ///
    /// # Errors
    ///
    /// The failure of a child that is to [fail the task](Self::fail_fast), where the task's context
    /// has not taken it. It is returned once.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe: it can be dropped and called again at any time.
    pub async fn finish(&self) -> anyhow::Result<()> {
        self.group.emptied().await;
        self.group.take_error().map_or(Ok(()), Err)
    }

    /// Runs `body`, which spawns children, and then waits for them: when it returns the value of
    /// `body`, no child is left.
    ///
    /// | | the children |
    /// |---|---|
    /// | `body` returns `Ok` | have their time: this waits for all of them |
    /// | `body` returns [`Cancelled`] and the task is cancelled | likewise; they are cancelled, too |
    /// | `body` returns another error | are asked to end, and left to the task, until its deadline. The error is returned at once, so that the group learns of it |
    /// | a child fails that [fails the task](Self::fail_fast), and its context does not take the failure | likewise. `body` is dropped at its await |
    /// | this future is dropped | are aborted |
    ///
    /// # Errors
    ///
    /// That of `body`, or the failure of a child that is to [fail the task](Self::fail_fast). If
    /// there are both, that of `body` is returned and the other one recorded, unless `body`
    /// returned [`Cancelled`].
    ///
    /// # Cancel safety
    ///
    /// Dropped, it drops `body` at its await, and aborts the children.
    pub async fn scope<T>(
        mut self,
        body: impl AsyncFnOnce(&Self) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let result = {
            let (mut body, mut failed) =
                (pin!(body(&self)), pin!(self.group.has_failed.reached(1)));
            poll_fn(|cx| match body.as_mut().poll(cx) {
                Poll::Ready(result) => Poll::Ready(Some(result)),
                Poll::Pending => failed.as_mut().poll(cx).map(|()| None),
            })
            .await
        };
        let error = match (self.group.take_error(), result) {
            (None, Some(Ok(value))) => {
                return match self.finish().await {
                    Ok(()) => Ok(value),
                    Err(error) => Err(self.hand_over(error)),
                };
            }
            // A failed child explains why the body was refused another one.
            (Some(error), Some(Err(refused))) if Cancelled::is_outermost_in(&refused) => error,
            (Some(error), Some(Err(other))) => {
                self.group.ctx.record_failure(error);
                other
            }
            (Some(error), _) => error,
            (None, Some(Err(error))) => error,
            // Who took it returns it.
            (None, None) => Cancelled.into(),
        };
        if self.group.ctx.is_cancelled() && Cancelled::is_outermost_in(&error) {
            self.finish().await?;
        }
        Err(self.hand_over(error))
    }

    /// Asks all children to end, and returns at once. No further ones are taken.
    pub fn stop(&self) {
        self.group.stop_all();
    }

    /// Aborts all children, and returns at once: their contexts are cancelled, and their futures
    /// dropped, each at its next await, or before it is first polled. That is no failure. No
    /// further ones are taken.
    pub fn abort(&self) {
        self.group.abort_all(true);
    }

    /// Returns how many children are alive.
    pub fn len(&self) -> usize {
        self.group.len()
    }

    /// Returns whether no child is alive.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns how many children may be alive at the same time.
    pub fn limit(&self) -> usize {
        self.group.limit
    }

    /// Returns how many failures of children there were, recorded or not.
    pub fn failures(&self) -> u64 {
        self.group.failures()
    }

    /// Asks the children that are left to end, and leaves them to the task.
    fn hand_over(&mut self, error: anyhow::Error) -> anyhow::Error {
        self.aborts = false;
        self.group.stop_all();
        error
    }

    /// Waits for a place and takes it for a child.
    async fn admitted(
        &self,
        name: Cow<'static, str>,
        returns: bool,
    ) -> Result<Arc<Member>, Cancelled> {
        let admitted = match self.place().await {
            Ok(()) => self.group.admit(name, returns),
            Err(refused) => Err(refused),
        };
        match admitted {
            Ok(member) => Ok(member),
            Err(_) => Err(self.group.refusal().await),
        }
    }

    /// Waits for a place, which the caller has then.
    async fn place(&self) -> Result<(), Cancelled> {
        if self.group.places.try_take() {
            return Ok(());
        }
        let (mut place, mut closed) = (pin!(self.group.places.take()), pin!(self.group.closed()));
        poll_fn(|cx| match closed.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(Cancelled)),
            Poll::Pending => place.as_mut().poll(cx).map(Ok),
        })
        .await
    }

    /// Calls the closure, and spawns what it returns.
    fn launch<F, Fut, R>(
        &self,
        member: &Arc<Member>,
        child: F,
        judge: Judge<Fut::Output, R>,
    ) -> JoinHandle<Option<R>>
    where
        F: FnOnce(Context) -> Fut,
        Fut: Future + Send + 'static,
        R: Send + 'static,
    {
        let unspawned = Unspawned(member);
        let future = child(Context::new(Arc::clone(member) as _));
        std::mem::forget(unspawned);
        let managed = Managed::new(Arc::clone(member), future, judge);
        let join = self.group.runtime.spawn(managed);
        self.group.set_abort_handle(member, join.abort_handle());
        join
    }
}

/// Ends a child whose closure panics, which the caller of `spawn` sees.
struct Unspawned<'a>(&'a Arc<Member>);

impl Drop for Unspawned<'_> {
    fn drop(&mut self) {
        self.0.mark_aborted(true);
        self.0.future_ended(End::Aborted);
    }
}

impl Drop for Children {
    fn drop(&mut self) {
        if self.aborts {
            self.group.abort_all(true);
        }
        self.group.disown();
    }
}

impl fmt::Debug for Children {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Children")
            .field("task", &self.group.ctx.name())
            .field("len", &self.len())
            .field("limit", &self.limit())
            .finish_non_exhaustive()
    }
}
