//! The spans that the log lines of tasks and cleanups carry.

use std::sync::Arc;

use tracing::{Instrument, Span, level_filters::LevelFilter};

use crate::{group::entry::Entry, group::managed::UserFuture, threads::panics::catch};

/// Puts a task's future into a span of the task's name, where anybody listens. In a box of its own then: that costs
/// less than the code of every kind of task twice.
pub(crate) fn in_span(entry: &Entry, future: UserFuture) -> UserFuture {
    let span = of_task(entry);
    if span.is_disabled() { future } else { Box::pin(future.instrument(span)) }
}

/// Makes a span of the task's name.
pub(crate) fn of_task(entry: &Entry) -> Span {
    if LevelFilter::current() < LevelFilter::INFO {
        return Span::none();
    }
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
