//! The span that a task's log lines carry.

use tracing::{Instrument, Span};

use crate::{
    entry::{Entry, Role},
    managed::UserFuture,
    panics::catch,
};

/// Boxes a task's future, in a span of the task's name where anybody listens.
pub(crate) fn in_span<F>(entry: &Entry, future: F) -> UserFuture
where
    F: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let (name, id) = (&*entry.name, entry.id.number());
    // A subscriber that panics takes nothing else down: the task then runs without a span.
    let span = catch(|| match entry.role {
        Role::Task(_) => tracing::info_span!(target: "task", "task", name, id),
        Role::Cleanup => tracing::info_span!(target: "task", "cleanup", name),
    });
    let span = span.unwrap_or_else(|_| Span::none());
    if span.is_disabled() { Box::pin(future) } else { Box::pin(future.instrument(span)) }
}
