//! One run of an action: its panics caught, its time limited.

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

/// What one run is given.
pub(crate) struct Limits {
    pub(crate) timeout: Timeout,
    /// How long it may take before it is worth a warning.
    pub(crate) room: Option<Duration>,
}

/// Runs the action once, to its end: a stop does not drop the run. Dropped itself, it drops the run.
///
/// `overstays` is called with the run's age when that is its room, and again each time that it has doubled.
pub(crate) async fn attempt<A: Action>(
    action: &mut A,
    ctx: &Context,
    limits: Limits,
    span: &Span,
    mut overstays: impl FnMut(Duration),
) -> Result<(), Failure> {
    let Limits { timeout, room } = limits;
    let begun = Instant::now();
    // A closure may panic before it has made a future.
    let run = guarded(span, || action.run(ctx.clone())).map_err(Failure::Panicked)?;
    let mut run = pin!(Some(run));
    // Polled only after the run was, and found to take time: until then a timer costs nothing. From then on before it: a
    // run that is never idle leaves nothing of the budget that tokio lets a task have, and a timer without it never fires.
    let mut is_armed = false;
    let mut deadline = pin!(timeout.limit().map(sleep));
    let mut overdue = pin!(room.map(sleep));
    let mut age = room.unwrap_or_default();

    let result = poll_fn(|cx| {
        let mut is_late = is_armed && is_due(deadline.as_mut(), cx);
        let mut is_long = is_armed && is_due(overdue.as_mut(), cx);
        if let Some(run) = run.as_mut().as_pin_mut() {
            match guarded(span, || run.poll(cx)) {
                Ok(Poll::Ready(result)) => return Poll::Ready(result.map_err(Failure::Error)),
                Ok(Poll::Pending) => {}
                Err(payload) => return Poll::Ready(Err(Failure::Panicked(payload))),
            }
        }
        if !std::mem::replace(&mut is_armed, true) {
            is_late = is_due(deadline.as_mut(), cx);
            is_long = is_due(overdue.as_mut(), cx);
        }
        if is_late {
            let limit = timeout.limit().unwrap_or_default();
            return Poll::Ready(Err(Failure::TimedOut(RunTimedOut::new(limit))));
        }
        while is_long {
            overstays(begun.elapsed());
            age = age.saturating_mul(2);
            rearm(overdue.as_mut(), begun, age);
            is_long = is_due(overdue.as_mut(), cx);
        }
        Poll::Pending
    })
    .await;

    // Not left to the end of this function: its drop may panic, and that is a failure of this run.
    match (guarded(span, || run.set(None)), result) {
        (Ok(()), result) => result,
        (Err(payload), Ok(())) => Err(Failure::Panicked(payload)),
        (Err(payload), Err(failure)) => {
            discard(payload);
            Err(failure)
        }
    }
}

/// Polls a timer, if there is one.
fn is_due(timer: Pin<&mut Option<Sleep>>, cx: &mut task::Context<'_>) -> bool {
    timer.as_pin_mut().is_some_and(|timer| timer.poll(cx).is_ready())
}

/// Sets the timer to the given age of the run; there is none any more if that is beyond the clock.
fn rearm(mut timer: Pin<&mut Option<Sleep>>, begun: Instant, age: Duration) {
    match (timer.as_mut().as_pin_mut(), begun.checked_add(age)) {
        (Some(timer), Some(at)) => timer.reset(at),
        _ => timer.set(None),
    }
}

/// Runs the user's code within the run's span, and catches its panics. The action may be left half-way through what it
/// did; that is documented on [`Action::run`], and nothing of ours is inside.
fn guarded<T>(span: &Span, body: impl FnOnce() -> T) -> Result<T, Box<dyn Any + Send>> {
    catch_unwind(AssertUnwindSafe(|| span.in_scope(body)))
}
