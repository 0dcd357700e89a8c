//! The loop of a restarting task: make, run, judge, wait.

use std::{future::poll_fn, panic::resume_unwind, pin::pin, sync::Arc, task::Poll, time::Duration};

use task_core::{Context, Task, scope::discard};
use tracing::info_span;

use crate::{
    alarm::{Alarm, Waits, earlier},
    attempt::{Ended, How, attempt, guarded},
    judge::{Judge, Verdict},
    options::Options,
    rt::{Instant, sleep},
    run::Run,
    shared::{Life, Shared},
};

/// Runs tasks of the factory, one after the other, until one of them is the last.
pub(crate) async fn supervise<T: Task>(
    first: T,
    mut factory: impl FnMut() -> anyhow::Result<T>,
    options: Options,
    life: Life,
    ctx: Context,
) -> anyhow::Result<()> {
    let shared = Arc::clone(&life.0);
    let mut timer = pin!(sleep(Duration::ZERO));
    let mut waits = Waits { alarm: Alarm::new(timer.as_mut()), served: 0, keep_until: None };
    let keeps_ready = !options.keep_ready_for.is_zero();
    let mut judge = Judge::new(options, ctx.clone(), Arc::clone(&shared));
    let mut first = Some(first);
    let mut number = 1;
    // It has begun already if it was admitted by a manager.
    let mut begun = shared.current();
    if begun.is_none() {
        life.follow(&ctx);
    }
    loop {
        let span = info_span!(target: "task", "run", run = number);
        let began = Instant::now();
        let is_first = first.is_some();
        let made = match first.take() {
            Some(task) => Ok(Ok(task)),
            None => guarded(&span, &mut factory),
        };
        // The first run begins even if the stop came before it, as that of every task.
        if !is_first && ctx.is_cancelled() {
            return match made {
                Ok(made) => made.map(discard),
                Err(payload) => resume_unwind(payload),
            };
        }
        let run = begun.take().unwrap_or_else(|| shared.begin(&ctx, number));
        let mut ended = match made {
            Ok(Ok(mut task)) => {
                let admitted = if is_first {
                    Ok(())
                } else {
                    guarded(&span, || task.admitted(&Context::new(Arc::clone(&run) as _)))
                };
                match admitted {
                    Ok(()) => {
                        let limits = judge.limits();
                        let on_up = || span.in_scope(|| judge.up());
                        attempt(task, &run, began, limits, &mut waits, &span, on_up).await
                    }
                    Err(payload) => {
                        discard(task);
                        Ended::from(How::Panicked(payload))
                    }
                }
            }
            Ok(Err(error)) => Ended::from(How::Returned(Err(error))),
            Err(payload) => Ended::from(How::Panicked(payload)),
        };
        let ended_at = Instant::now();
        if shared.end(keeps_ready) {
            waits.keep_until = ended_at.checked_add(judge.options.keep_ready_for);
        }
        if let Some(payload) = ended.beside.take() {
            judge.beside(payload);
        }
        if ctx.is_cancelled() {
            return judge.stopped(&run, ended.how, ended.asked);
        }
        let verdict = span.in_scope(|| judge.judge(&run, ended, began, ended_at));
        let wait = match verdict {
            Verdict::End(result) => return result,
            Verdict::Again(wait) => wait,
        };
        match rest(&ctx, &run, &mut waits, ended_at, judge.options.run_stop_timeout, wait).await {
            Rested::Over => {}
            Rested::Stopped => return Ok(()),
            Rested::StillHeld => return Err(judge.still_held(number)),
        }
        // Read before the factory is called: the run that follows is an answer to these.
        waits.served = shared.requests.get();
        number += 1;
        judge.again();
    }
}

/// How the time between two runs ended.
enum Rested {
    Over,
    /// The task is asked to end.
    Stopped,
    /// Something of the last run is alive.
    StillHeld,
}

/// Waits until nothing of the last run is alive, and until `wait` has passed since its end or a
/// restart is asked for.
async fn rest(
    ctx: &Context,
    run: &Run,
    waits: &mut Waits<'_>,
    ended_at: Instant,
    held_for: Duration,
    wait: Duration,
) -> Rested {
    if !wait.is_zero() {
        ctx.record_wait(wait);
    }
    let shared = run.shared();
    let is_released = || run.is_released();
    // The wait yields by itself, and a stop takes precedence there, too.
    let released = if is_released() && !wait.is_zero() {
        Paused::Event
    } else {
        let held_until = ended_at.checked_add(held_for);
        pause(ctx, shared, waits, held_until, is_released, run.released()).await
    };
    let rested = match released {
        Paused::Stopped => Rested::Stopped,
        Paused::Elapsed => Rested::StillHeld,
        Paused::Event if wait.is_zero() => Rested::Over,
        Paused::Event => {
            let next = waits.served + 1;
            let (is_requested, requested) =
                (|| shared.requests.get() >= next, shared.requests.reached(next));
            let until = ended_at.checked_add(wait);
            match pause(ctx, shared, waits, until, is_requested, requested).await {
                Paused::Stopped => Rested::Stopped,
                Paused::Elapsed | Paused::Event => Rested::Over,
            }
        }
    };
    if !wait.is_zero() {
        ctx.record_wait(None);
    }
    rested
}

/// What ended a pause.
enum Paused {
    Stopped,
    Elapsed,
    Event,
}

/// Waits for `event`, which `has_come` asks for, or until `until`, where `None` is never, and
/// yields once at least: runs without a pause between them must not starve the other tasks of this
/// thread. A stop takes precedence.
async fn pause(
    ctx: &Context,
    shared: &Shared,
    waits: &mut Waits<'_>,
    until: Option<Instant>,
    has_come: impl Fn() -> bool,
    event: impl Future<Output = ()>,
) -> Paused {
    let mut cancelled = pin!(ctx.cancelled());
    let mut event = pin!(event);
    let mut has_yielded = false;
    poll_fn(|cx| {
        if ctx.is_cancelled() {
            return Poll::Ready(Paused::Stopped);
        }
        if !std::mem::replace(&mut has_yielded, true) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if has_come() {
            return Poll::Ready(Paused::Event);
        }
        loop {
            let due = earlier(until, waits.keep_until);
            let now = Instant::now();
            if waits.keep_until.take_if(|at| *at <= now).is_some() {
                shared.stop_keeping(ctx);
            } else if until.is_some_and(|at| at <= now) {
                return Poll::Ready(Paused::Elapsed);
            } else if !waits.alarm.is_due(due, cx) {
                break;
            }
        }
        // Only now, since to register costs more than the pauses that are over by then.
        if cancelled.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Paused::Stopped);
        }
        event.as_mut().poll(cx).map(|()| Paused::Event)
    })
    .await
}
