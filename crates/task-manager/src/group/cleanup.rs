//! A named hook that runs after the tasks.

use std::borrow::Cow;

use super::UserFuture;

/// A cleanup that has not run yet.
pub(crate) struct Hook {
    pub(crate) name: Cow<'static, str>,
    pub(crate) run: Box<dyn FnOnce() -> UserFuture + Send>,
}
