//! One run of an action, with its panics caught and its time limited.

use std::{
    any::Any,
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    task::{self, Poll},
    time::Duration,
};

use task_core::{Context, Timeout, scope::discard};
use tokio::time::{Instant, Sleep, sleep};
use tracing::Span;

use crate::{Action, RunTimedOut, failure::Failure};

/// The limits of one run.
pub(crate) struct Limits {
    pub(crate) timeout: Timeout,
    /// The age at which a run is reported as overdue.
    pub(crate) overdue_after: Option<Duration>,
}

/// Runs the action once, to its end: a stop does not drop the run. Dropping this future does.
///
/// `on_overdue` is called with the run's age when that reaches `overdue_after`, and again each time
/// the age has doubled.
pub(crate) async fn attempt<A: Action>(
    action: &mut A,
    ctx: &Context,
    limits: Limits,
    span: &Span,
    mut on_overdue: impl FnMut(Duration),
) -> Result<(), Failure> {
    let Limits { timeout, overdue_after } = limits;
    let begun = Instant::now();
    // A closure may panic before it returns a future.
    let run = guarded(span, || action.run(ctx.clone())).map_err(Failure::Panicked)?;
    let mut run = pin!(Some(run));
    // At the first poll the timers come after the run: a run that is ready at once pays for no
    // timer. From then on they come before it: a run that is never idle uses up Tokio's cooperative
    // budget, which makes an elapsed timer return `Pending`.
    let mut is_armed = false;
    let mut deadline = pin!(timeout.limit().map(sleep));
    let mut overdue = pin!(overdue_after.map(sleep));
    let mut age = overdue_after.unwrap_or_default();

    let result = poll_fn(|cx| {
        let mut is_late = is_armed && is_due(deadline.as_mut(), cx);
        let mut is_overdue = is_armed && is_due(overdue.as_mut(), cx);
        if let Some(run) = run.as_mut().as_pin_mut() {
            match guarded(span, || run.poll(cx)) {
                Ok(Poll::Ready(result)) => return Poll::Ready(result.map_err(Failure::Error)),
                Ok(Poll::Pending) => {}
                Err(payload) => return Poll::Ready(Err(Failure::Panicked(payload))),
            }
        }
        if !std::mem::replace(&mut is_armed, true) {
            is_late = is_due(deadline.as_mut(), cx);
            is_overdue = is_due(overdue.as_mut(), cx);
        }
        if is_late {
            let limit = timeout.limit().unwrap_or_default();
            return Poll::Ready(Err(Failure::TimedOut(RunTimedOut::new(limit))));
        }
        while is_overdue {
            on_overdue(begun.elapsed());
            age = age.saturating_mul(2);
            rearm(overdue.as_mut(), begun, age);
            is_overdue = is_due(overdue.as_mut(), cx);
        }
        Poll::Pending
    })
    .await;

    // Dropped here and not at the end of the function: its drop may panic, which fails this run.
    match (guarded(span, || run.set(None)), result) {
        (Ok(()), result) => result,
        (Err(payload), Ok(())) => Err(Failure::Panicked(payload)),
        (Err(payload), Err(failure)) => {
            discard(payload);
            Err(failure)
        }
    }
}

/// Polls a timer, if there is one, and returns whether it has elapsed.
fn is_due(timer: Pin<&mut Option<Sleep>>, cx: &mut task::Context<'_>) -> bool {
    timer.as_pin_mut().is_some_and(|timer| timer.poll(cx).is_ready())
}

/// Sets the timer to the given age of the run, or removes it if that is beyond the clock's range.
fn rearm(mut timer: Pin<&mut Option<Sleep>>, begun: Instant, age: Duration) {
    match (timer.as_mut().as_pin_mut(), begun.checked_add(age)) {
        (Some(timer), Some(at)) => timer.reset(at),
        _ => timer.set(None),
    }
}

/// Calls the user's code within the run's span, and catches its panics.
///
/// Asserting unwind safety is sound in spirit: the action may be left half-way through its work,
/// which [`Action::run`] documents, and no state of this crate is inside.
fn guarded<T>(span: &Span, body: impl FnOnce() -> T) -> Result<T, Box<dyn Any + Send>> {
    catch_unwind(AssertUnwindSafe(|| span.in_scope(body)))
}
