//! A named hook that runs after the tasks.

use std::borrow::Cow;

use super::UserFuture;

/// A cleanup that has not run yet.
pub(crate) struct Hook {
    pub(crate) name: Cow<'static, str>,
    pub(crate) run: Box<dyn FnOnce() -> UserFuture + Send>,
}

impl Hook {
    pub(crate) fn new<F, Fut>(name: Cow<'static, str>, hook: F) -> Self
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        Self { name, run: Box::new(move || Box::pin(hook())) }
    }
}
