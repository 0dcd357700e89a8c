//! The spans that the log lines of tasks and cleanups carry. All are roots: in a task that starts
//! its successor and ends, the successor's span would otherwise keep all those before it, and with
//! them the memory of every generation (invariant 10).

use std::sync::Arc;

use task_core::scope::catch;
use tracing::level_filters::LevelFilter;
use tracing::{Instrument, Span};

use super::{Entry, Member, UserFuture};

/// Puts a task's future into a span of the task's name, if a subscriber is interested. It is boxed
/// once more then: that costs less than compiling the code of every kind of task twice.
pub(crate) fn in_span(member: &Member, future: UserFuture) -> UserFuture {
    let span = of_task(member);
    if span.is_disabled() { future } else { Box::pin(future.instrument(span)) }
}

/// Makes a span of the task's name.
pub(crate) fn of_task(member: &Member) -> Span {
    if LevelFilter::current() < LevelFilter::INFO {
        return Span::none();
    }
    let (name, id) = (&*member.name, member.id.number());
    make(|| tracing::info_span!(target: "task", parent: None, "task", name, id))
}

/// Boxes a cleanup's future. Its span is made when it is first polled: a subscriber may block, and
/// must not block the thread that advances the shutdown.
pub(crate) fn in_cleanup_span<F>(entry: Arc<Entry>, future: F) -> UserFuture
where
    F: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    Box::pin(async move {
        let name = &*entry.name;
        let span = make(|| tracing::info_span!(target: "task", parent: None, "cleanup", name));
        future.instrument(span).await
    })
}

/// A subscriber that panics takes nothing else down: there is no span then.
fn make(span: impl FnOnce() -> Span) -> Span {
    catch(span).unwrap_or_else(|_| Span::none())
}
