//! The spans that the log lines of tasks and cleanups carry.

use std::sync::Arc;

use tracing::{Instrument, Span};

use crate::{entry::Entry, managed::UserFuture, panics::catch};

/// Boxes a task's future, in a span of the task's name where anybody listens.
pub(crate) fn in_span<F>(entry: &Entry, future: F) -> UserFuture
where
    F: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let span = of_task(entry);
    if span.is_disabled() { Box::pin(future) } else { Box::pin(future.instrument(span)) }
}

/// Makes a span of the task's name.
pub(crate) fn of_task(entry: &Entry) -> Span {
    let (name, id) = (&*entry.name, entry.id.number());
    make(|| tracing::info_span!(target: "task", "task", name, id))
}

/// Boxes a cleanup's future. Its span is made when it is first polled, for a subscriber may block, and must not block
/// whoever drives the shutdown.
pub(crate) fn in_cleanup_span<F>(entry: Arc<Entry>, future: F) -> UserFuture
where
    F: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    Box::pin(async move {
        let name = &*entry.name;
        let span = make(|| tracing::info_span!(target: "task", "cleanup", name));
        future.instrument(span).await
    })
}

/// A subscriber that panics takes nothing else down: there is no span then.
fn make(span: impl FnOnce() -> Span) -> Span {
    catch(span).unwrap_or_else(|_| Span::none())
}
