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

pub struct Children {
    group: Arc<Group>,
    /// What becomes of the children that are left when this is dropped.
    aborts: bool,
}

impl Children {
    pub fn new(ctx: &Context, limit: usize) -> Result<Self, ChildrenError> {
        if limit == 0 || limit > Places::MAX {
            return Err(ChildrenErrorKind::Limit { limit, max: Places::MAX }.into());
        }
        let Ok(runtime) = Handle::try_current() else {
            return Err(ChildrenErrorKind::NoRuntime.into());
        };
        Ok(Self { group: Group::new(ctx, runtime, limit), aborts: true })
    }

    pub fn count_failures(self) -> Self {
        self.group.set_policy(Policy::Count);
        self
    }

    pub fn fail_fast(self) -> Self {
        self.group.set_policy(Policy::Fail);
        self
    }

    pub async fn spawn<F, Fut>(
        &self,
        name: impl Into<Cow<'static, str>>,
        child: F,
    ) -> Result<ChildHandle, Cancelled>
    where
        F: FnOnce(Context) -> Fut,
        Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        self.place().await?;
        let member = self.group.admit(name.into(), false)?;
        self.launch(&member, child, |member, result| (member.judge(result), ()));
        Ok(ChildHandle(member))
    }

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
        self.place().await?;
        let member = self.group.admit(name.into(), true)?;
        let join = self.launch(&member, child, |_, value| (End::Completed, value));
        Ok(Child::new(member, join))
    }

    pub async fn finish(&self) -> anyhow::Result<()> {
        self.group.emptied().await;
        self.group.take_error().map_or(Ok(()), Err)
    }

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
                    Err(error) => Err(self.leave(error)),
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
        Err(self.leave(error))
    }

    pub fn stop(&self) {
        self.group.stop_all();
    }

    pub fn abort(&self) {
        self.group.abort_all(true);
    }

    pub fn len(&self) -> usize {
        self.group.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn limit(&self) -> usize {
        self.group.limit
    }

    pub fn failures(&self) -> u64 {
        self.group.failures()
    }

    /// Asks the children that are left to end, and leaves them to the task.
    fn leave(&mut self, error: anyhow::Error) -> anyhow::Error {
        self.aborts = false;
        self.group.stop_all();
        error
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
