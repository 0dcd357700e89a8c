//! What a trigger runs.

use std::{
    borrow::Cow,
    fmt,
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::Poll,
};

use anyhow::anyhow;
use task_core::{
    Context,
    scope::{discard, panic_text},
};

type ActionFuture = Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send>>;

/// A named piece of work that can be run again and again.
pub(crate) struct Action {
    name: Cow<'static, str>,
    function: Box<dyn FnMut(Context) -> ActionFuture + Send>,
}

impl Action {
    pub(crate) fn new<F, Fut>(name: Cow<'static, str>, mut function: F) -> Self
    where
        F: FnMut(Context) -> Fut + Send + 'static,
        Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        Self { name, function: Box::new(move |context| Box::pin(function(context))) }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Runs it once. A panic becomes an error.
    pub(crate) async fn run(&mut self, context: &Context) -> anyhow::Result<()> {
        let context = context.clone();
        let mut future = guarded(|| (self.function)(context))?;
        let result = poll_fn(|cx| match guarded(|| future.as_mut().poll(cx)) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(result)) => Poll::Ready(result),
            Err(panic) => Poll::Ready(Err(panic)),
        })
        .await;
        let dropped = guarded(|| drop(future));
        result.and(dropped)
    }
}

impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Action").field(&self.name).finish()
    }
}

fn guarded<R>(body: impl FnOnce() -> R) -> anyhow::Result<R> {
    catch_unwind(AssertUnwindSafe(body)).map_err(|payload| {
        let error = anyhow!("panicked: {}", panic_text(&*payload));
        discard(payload);
        error
    })
}
