//! The span that a task's log lines carry.

use tracing::Instrument;

use crate::{
    entry::{Entry, Role},
    managed::UserFuture,
};

/// Boxes a task's future, in a span of the task's name where anybody listens.
pub(crate) fn in_span<F>(entry: &Entry, future: F) -> UserFuture
where
    F: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let (name, id) = (&*entry.name, entry.id.number());
    let span = match entry.role {
        Role::Task(_) => tracing::info_span!(target: "task", "task", name, id),
        Role::Cleanup => tracing::info_span!(target: "task", "cleanup", name),
    };
    if span.is_disabled() { Box::pin(future) } else { Box::pin(future.instrument(span)) }
}
