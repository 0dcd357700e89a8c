//! What a trigger runs.

use std::{borrow::Cow, future::poll_fn, pin::Pin, task::Poll};

use task_core::Context;

use crate::{panics::catch, values::Opaque};

type ActionFuture = Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send>>;

/// A named piece of work that can run any number of times.
#[derive(Debug)]
pub(super) struct Action {
    name: Cow<'static, str>,
    function: Opaque<Box<dyn FnMut(Context) -> ActionFuture + Send>>,
}

impl Action {
    pub(super) fn new<F, Fut>(name: Cow<'static, str>, mut function: F) -> Self
    where
        F: FnMut(Context) -> Fut + Send + 'static,
        Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        Self { name, function: Opaque(Box::new(move |context| Box::pin(function(context)))) }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Runs the action once. A panic of the function, of the future or of its drop becomes an
    /// error.
    pub(super) async fn run(&mut self, context: &Context) -> anyhow::Result<()> {
        let mut future = catch("it", || self.function.0(context.clone()))?;
        let result = poll_fn(|cx| match catch("it", || future.as_mut().poll(cx)) {
            Ok(poll) => poll,
            Err(panic) => Poll::Ready(Err(panic)),
        })
        .await;
        result.and(catch("it", || drop(future)))
    }
}
