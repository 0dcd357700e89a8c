//! A named hook that runs after the tasks.

use std::borrow::Cow;

use task_core::Context;

use super::UserFuture;

/// A cleanup that has not run yet.
pub(crate) struct Hook {
    pub(crate) name: Cow<'static, str>,
    pub(crate) run: Box<dyn FnOnce(Context) -> UserFuture + Send>,
}
