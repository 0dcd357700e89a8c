//! The waits of a context as futures that borrow nothing.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{self, Poll},
};

use crate::{
    Context,
    level::Waiter,
    scope::{Scope, Stage},
};

impl Context {
    /// Waits like [`cancelled`](Self::cancelled), by a future that owns what it needs: for code
    /// that wants a `'static` future, such as the graceful shutdown of a server framework.
    ///
    /// # Cancel safety
    ///
    /// That of [`cancelled`](Self::cancelled).
    ///
    /// # Examples
    ///
    /// ```
    /// use task_core::Context;
    /// # struct Server;
    /// # impl Server {
    /// #     fn with_graceful_shutdown(self, _: impl Future<Output = ()> + Send + 'static) -> Self {
    /// #         self
    /// #     }
    /// #     async fn run(self) -> std::io::Result<()> { Ok(()) }
    /// # }
    ///
    /// async fn serve(ctx: Context, server: Server) -> anyhow::Result<()> {
    ///     server.with_graceful_shutdown(ctx.cancelled_owned()).run().await?;
    ///     Ok(())
    /// }
    /// ```
    pub fn cancelled_owned(&self) -> WaitForOwned {
        WaitForOwned::new(Arc::clone(self.scope()), Stage::Cancelled)
    }

    /// Waits like [`draining`](Self::draining), by a future that owns what it needs.
    ///
    /// A server that ends its *accepting* at a graceful shutdown should wait for
    /// [`cancelled_owned`](Self::cancelled_owned): during the drain, load balancers that have not
    /// yet noticed go on sending.
    ///
    /// # Cancel safety
    ///
    /// That of [`draining`](Self::draining).
    pub fn draining_owned(&self) -> WaitForOwned {
        WaitForOwned::new(Arc::clone(self.scope()), Stage::Draining)
    }
}

/// A future that resolves once a task has reached a stage, and that borrows nothing. Returned by
/// [`Context::cancelled_owned`] and [`Context::draining_owned`].
///
/// It keeps the task's record alive, as a clone of the context does, and allocates nothing itself.
///
/// # Cancel safety
///
/// It is cancel safe: dropped, it leaves no waker behind, and a new one takes its place.
#[must_use = "futures do nothing unless awaited"]
pub struct WaitForOwned {
    scope: Arc<dyn Scope>,
    waiter: Waiter,
}

impl WaitForOwned {
    fn new(scope: Arc<dyn Scope>, stage: Stage) -> Self {
        Self { scope, waiter: Waiter::new(stage.threshold()) }
    }
}

impl Future for WaitForOwned {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<()> {
        let Self { scope, waiter } = &mut *self;
        waiter.poll(scope.stage().level(), cx)
    }
}

impl Drop for WaitForOwned {
    fn drop(&mut self) {
        self.waiter.remove_from(self.scope.stage().level());
    }
}

impl fmt::Debug for WaitForOwned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitForOwned").field("waiter", &self.waiter).finish_non_exhaustive()
    }
}
