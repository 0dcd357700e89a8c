//! One run from its first poll to the drop of its future.

use std::{
    any::Any,
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use task_core::{Task, Timeout};
use tracing::Span;

use crate::{
    alarm::{Waits, earlier},
    rt::Instant,
    run::Run,
};

/// How a run ended.
pub(crate) struct Ended {
    pub(crate) how: How,
    /// Why it alone was asked to end, if it was.
    pub(crate) asked: Option<Asked>,
    /// A panic of the future's drop beside another failure.
    pub(crate) beside: Option<Box<dyn Any + Send>>,
}

pub(crate) enum How {
    Returned(anyhow::Result<()>),
    Panicked(Box<dyn Any + Send>),
    /// It did not end in time after it alone was asked to.
    Dropped,
}

/// Why one run was asked to end, and not the task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    TimedOut(Duration),
    /// A thread of it has panicked.
    Panicked,
    /// Another run is wanted.
    Wanted,
}

/// The limits of one run.
pub(crate) struct Limits {
    pub(crate) timeout: Timeout,
    pub(crate) stop_timeout: Duration,
    /// How long the run must be up until `on_up` is called. `None` if nobody waits for that.
    pub(crate) stable_after: Option<Duration>,
}

impl From<How> for Ended {
    fn from(how: How) -> Self {
        Self { how, asked: None, beside: None }
    }
}

/// Runs the task until it ends. A stop of the outer task does not drop it; the run's own timeout
/// and a restart that was asked for do, `stop_timeout` after they have cancelled it.
///
/// Its times count from `began`. `on_up` is called once if the run is ready, or has been up for
/// `stable_after`.
pub(crate) async fn attempt(
    task: impl Task,
    run: &Arc<Run>,
    began: Instant,
    limits: Limits,
    waits: &mut Waits<'_>,
    span: &Span,
    mut on_up: impl FnMut(),
) -> Ended {
    let shared = run.shared();
    let Waits { served, keep_until, alarm } = waits;
    // A task may panic before it returns a future.
    let future = match guarded(span, || task.run(task_core::Context::new(Arc::clone(run) as _))) {
        Ok(future) => future,
        Err(payload) => return How::Panicked(payload).into(),
    };
    let mut future = pin!(Some(future));
    let mut requested = pin!(shared.requests.reached(*served + 1));
    let mut has_panicked = pin!(run.has_panicked.reached(1));
    let mut asked = None;
    let mut drop_at = None;
    // Beyond the clock's range is never.
    let mut times_out_at = limits.timeout.limit().and_then(|limit| began.checked_add(limit));
    let mut stable_at = limits.stable_after.and_then(|after| began.checked_add(after));

    let how = poll_fn(|cx| {
        // In a stop the deadline is the manager's alone.
        let is_stopping = run.outer().is_cancelled();
        loop {
            if asked.is_none() && !is_stopping && shared.requests.get() > *served {
                asked = Some(Asked::Wanted);
                drop_at = cancel(run, limits.stop_timeout);
            }
            if asked.is_none() && run.has_panicked.get() > 0 {
                asked = Some(Asked::Panicked);
                drop_at = if is_stopping { None } else { cancel(run, limits.stop_timeout) };
            }
            if let Some(future) = future.as_mut().as_pin_mut() {
                match guarded(span, || future.poll(cx)) {
                    Ok(Poll::Ready(result)) => return Poll::Ready(How::Returned(result)),
                    Ok(Poll::Pending) => {}
                    Err(payload) => return Poll::Ready(How::Panicked(payload)),
                }
            }
            let own = if asked.is_some() { drop_at } else { times_out_at };
            let mut due = earlier(earlier(own, *keep_until), stable_at);
            // The clock is read only where there is a time to compare it with.
            let now = due.map(|_| Instant::now());
            if let (Some(first), Some(now)) = (due, now)
                && first <= now
            {
                let has_passed = |at: &mut Option<Instant>| at.take_if(|at| *at <= now).is_some();
                if has_passed(keep_until) {
                    shared.stop_keeping(run.outer());
                }
                if has_passed(&mut stable_at) {
                    on_up();
                }
                if has_passed(&mut drop_at) {
                    return Poll::Ready(How::Dropped);
                }
                if asked.is_none()
                    && has_passed(&mut times_out_at)
                    && !is_stopping
                    && let Some(limit) = limits.timeout.limit()
                {
                    asked = Some(Asked::TimedOut(limit));
                    drop_at = cancel(run, limits.stop_timeout);
                }
                continue;
            }
            if shared.is_ready() && stable_at.take().is_some() {
                on_up();
                due = earlier(own, *keep_until);
            }
            if alarm.is_due(due, cx) {
                continue;
            }
            // Only now, since to register costs as much as a run that ends at once.
            let is_asked = asked.is_none()
                && (!is_stopping && requested.as_mut().poll(cx).is_ready()
                    || has_panicked.as_mut().poll(cx).is_ready());
            if !is_asked {
                return Poll::Pending;
            }
        }
    })
    .await;

    // Dropped here and not at the end of the function: its drop may panic, which fails this run.
    let (how, beside) = match (guarded(span, || future.set(None)), how) {
        (Ok(()), how) => (how, None),
        (Err(payload), How::Returned(Ok(())) | How::Dropped) => (How::Panicked(payload), None),
        (Err(payload), how) => (how, Some(payload)),
    };
    Ended { how, asked, beside }
}

/// Asks a run to end. Returns when it is dropped; beyond the clock's range is never.
fn cancel(run: &Run, stop_timeout: Duration) -> Option<Instant> {
    let drop_at = Instant::now().checked_add(stop_timeout);
    run.cancel(drop_at);
    drop_at
}

/// Calls the user's code within the run's span, and catches its panics.
///
/// Asserting unwind safety is sound in spirit: a run that panicked is dropped and not looked at,
/// and what it shares with the next one is its own matter, as the crate's documentation says.
pub(crate) fn guarded<T>(span: &Span, body: impl FnOnce() -> T) -> Result<T, Box<dyn Any + Send>> {
    catch_unwind(AssertUnwindSafe(|| span.in_scope(body)))
}
