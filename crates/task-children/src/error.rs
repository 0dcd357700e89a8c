//! What goes wrong with children.

use std::fmt;

use task_core::{Panic, scope::guarded_name};

/// Why [`Children::new`](crate::Children::new) refused.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct ChildrenError(#[from] pub(crate) ChildrenErrorKind);

#[derive(Debug, thiserror::Error)]
pub(crate) enum ChildrenErrorKind {
    #[error("a limit of {limit} children is not between 1 and {max}")]
    Limit { limit: usize, max: usize },
    #[error("there is no Tokio runtime to run children on")]
    NoRuntime,
}

impl ChildrenError {
    /// Returns whether the limit is zero, or beyond what can be counted.
    pub fn is_limit(&self) -> bool {
        matches!(self.0, ChildrenErrorKind::Limit { .. })
    }

    /// Returns whether it was called outside of a Tokio runtime.
    pub fn is_no_runtime(&self) -> bool {
        matches!(self.0, ChildrenErrorKind::NoRuntime)
    }
}

/// Why a [`Child`](crate::Child) returned no value. `Display` names the child.
#[derive(Debug, thiserror::Error)]
#[error("child `{}` {what}", guarded_name(.name))]
pub struct ChildError {
    pub(crate) name: String,
    pub(crate) what: What,
}

#[derive(Debug)]
pub(crate) enum What {
    Panicked(Panic),
    Aborted,
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Panicked(panic) => panic.fmt(f),
            Self::Aborted => f.write_str("was aborted"),
        }
    }
}

impl ChildError {
    /// Returns whether the child panicked: when polled, or when its future was dropped.
    pub fn is_panicked(&self) -> bool {
        self.panic().is_some()
    }

    /// Returns whether the child was dropped before it had ended: by an abort, at the deadline of
    /// its task, or with its runtime.
    pub fn is_aborted(&self) -> bool {
        matches!(self.what, What::Aborted)
    }

    /// Returns the panic, with its place.
    pub fn panic(&self) -> Option<&Panic> {
        match &self.what {
            What::Panicked(panic) => Some(panic),
            What::Aborted => None,
        }
    }
}

/// Why [`Children::try_spawn`](crate::Children::try_spawn) refused. It has the closure.
#[derive(thiserror::Error)]
#[error("{}", if *.is_full { "no place is free for a child" } else { "cancelled" })]
pub struct TrySpawnError<F> {
    pub(crate) is_full: bool,
    pub(crate) closure: F,
}

impl<F> TrySpawnError<F> {
    /// Returns whether as many children are alive as the limit allows.
    pub fn is_full(&self) -> bool {
        self.is_full
    }

    /// Returns whether children are no longer taken: the task is asked to end, or
    /// [`stop`](crate::Children::stop) or [`abort`](crate::Children::abort) was called, or a child
    /// has failed where that [fails the task](crate::Children::fail_fast).
    pub fn is_cancelled(&self) -> bool {
        !self.is_full
    }

    /// Returns the closure, which was not called.
    pub fn into_inner(self) -> F {
        self.closure
    }
}

impl<F> fmt::Debug for TrySpawnError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrySpawnError").field("is_full", &self.is_full).finish_non_exhaustive()
    }
}
