//! The loop of a leading task: wait for a term, run the inner task in it, end it, release.

use std::{
    any::Any,
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
};

use task_core::{
    BoxTask, Cancelled, Context, Task,
    scope::{catch, discard},
};
use tokio::time::sleep;
use tracing::{error, info, warn};

use crate::{
    OnLoss, Term, TermOver, Times,
    clock::At,
    keep::keep,
    machine::Why,
    register::Register,
    run::Run,
    shared::{Life, Shared},
    stats::Tally,
};

/// Makes the task of a term.
pub(crate) type Factory = Box<dyn FnMut(Term) -> anyhow::Result<BoxTask> + Send>;

/// What the setters set, and the loop needs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    pub(crate) on_loss: OnLoss,
    /// The exit code of the fuse.
    pub(crate) fuse: Option<u8>,
}

/// How the future of a term ended.
enum How {
    Returned(anyhow::Result<()>),
    Panicked(Box<dyn Any + Send>),
    /// It did not end in time after the term alone was asked to.
    Dropped,
}

/// Leads whenever it can, until the task ends.
pub(crate) async fn lead(
    register: impl Register,
    mut factory: Factory,
    options: Options,
    life: Life,
    ctx: Context,
) -> anyhow::Result<()> {
    let shared = Arc::clone(&life.0);
    life.follow(&ctx);
    if ctx.is_draining() {
        shared.with(|machine, _| machine.end());
    }
    let mut keep = pin!(keep(register, Arc::clone(&shared), ctx.clone()));
    loop {
        let Some((term, end)) = won(keep.as_mut(), &shared).await else {
            // Not earlier: the end of a task stops its group.
            ctx.cancelled().await;
            return Ok(());
        };
        Tally::count(&shared.tally.terms);
        info!(target: "task", lock = shared.lock, term, "leads");
        let began = shared.clock.now();
        let fuse = options.fuse.and_then(|code| {
            let text = format!("term {term} of lock `{}` is over before its work is", shared.lock);
            ctx.fuse(shared.fuse_instant(end.saturating_sub(Times::EXIT_TIME)), code, text)
        });
        let run = Arc::new(Run::new(ctx.clone(), shared.clock, term, fuse));
        shared.begin(&run);
        let number = Term::new(term, Arc::clone(&shared));
        let how = attempt(&mut factory, number, &run, keep.as_mut(), &shared).await;
        shared.end_run();
        // A failure does not wait for threads: the group is stopped now.
        let how = match how {
            How::Returned(Err(error)) if !run.is_released() && is_own_end(&shared) => {
                How::Returned(fail(&ctx, error))
            }
            how => how,
        };
        released(&run, keep.as_mut()).await;
        let why = shared.notify(|machine, now| {
            let why = machine.end_of_lead().and_then(|(_, why)| why);
            if why.is_none() {
                machine.end(); // the task has ended by itself, or is being stopped
            }
            machine.term_over(now);
            why
        });
        let led_for = shared.clock.now().saturating_sub(began).as_secs_f64();
        let lock = &shared.lock;
        match why {
            Some(why @ (Why::Deadline | Why::Taken)) => {
                shared.tally.lost(why);
                warn!(target: "task", lock, term, led_for, why = why.text(), "has lost the lead");
            }
            Some(Why::StepDown) => info!(target: "task", lock, term, led_for, "has stepped down"),
            None => info!(target: "task", lock, term, led_for, "leads no more"),
        }
        let Some(why) = why else {
            poll_fn(|cx| keep.as_mut().poll(cx)).await; // the release
            return match how {
                How::Returned(result) => result,
                How::Panicked(payload) => resume_unwind(payload),
                How::Dropped => Ok(()), // not without a reason
            };
        };
        let lost = TermOver { lock: shared.lock.clone(), term, why: why.text() };
        let is_loss = why != Why::StepDown;
        match how {
            How::Panicked(payload) => {
                shared.notify(|machine, _| machine.end());
                poll_fn(|cx| keep.as_mut().poll(cx)).await;
                resume_unwind(payload)
            }
            How::Returned(Err(error)) if ctx.is_cancelled() => return Err(error),
            How::Returned(Err(error)) if !is_cancelled(&error) => {
                let text = catch(|| format!("{error:#}")).unwrap_or_default();
                error!(target: "task", lock, term, error = text, "the task failed as its term ended");
                ctx.count_failure();
                discard(error);
            }
            How::Dropped if ctx.is_cancelled() => return Err(lost.into()),
            how => discard(how),
        }
        match options.on_loss {
            OnLoss::Fail if is_loss => {
                shared.notify(|machine, _| machine.end());
                poll_fn(|cx| keep.as_mut().poll(cx)).await;
                return Err(lost.into());
            }
            OnLoss::Record if is_loss => ctx.record_failure(lost),
            _ => {}
        }
    }
}

/// Follows, until this replica leads. Returns the term and the end of its lease, or `None` if no
/// term begins here any more.
async fn won(mut keep: Pin<&mut impl Future<Output = ()>>, shared: &Shared) -> Option<(u64, At)> {
    poll_fn(|cx| {
        if keep.as_mut().poll(cx).is_ready() {
            return Poll::Ready(None);
        }
        match shared.with(|machine, _| machine.lead()) {
            Some(lead) => Poll::Ready(Some(lead)),
            None => Poll::Pending,
        }
    })
    .await
}

/// Runs the task of a term until it ends, or is dropped because the term is over. The lease is
/// renewed in the same future: a task that blocks it loses the lease.
async fn attempt(
    factory: &mut Factory,
    term: Term,
    run: &Arc<Run>,
    mut keep: Pin<&mut impl Future<Output = ()>>,
    shared: &Shared,
) -> How {
    let inner = Context::new(Arc::clone(run) as _);
    let made = guarded(|| {
        let mut task = factory(term)?;
        task.admitted(&inner);
        anyhow::Ok(task.run(inner.clone()))
    });
    let future = match made {
        Ok(Ok(future)) => future,
        Ok(Err(error)) => return How::Returned(Err(error)),
        Err(payload) => return How::Panicked(payload),
    };
    let mut future = pin!(Some(future));
    let mut alarm = pin!(sleep(At::ZERO));
    let mut armed = None;
    let how = poll_fn(|cx| {
        loop {
            // First, for a process that was stopped: nothing is polled in a term that is over.
            look(shared, run);
            if run.drop_at().is_some_and(|at| at <= shared.clock.now()) {
                return Poll::Ready(How::Dropped);
            }
            // It does not end before the term is over.
            let _ = keep.as_mut().poll(cx);
            if let Some(future) = future.as_mut().as_pin_mut() {
                match guarded(|| future.poll(cx)) {
                    Ok(Poll::Ready(result)) => return Poll::Ready(How::Returned(result)),
                    Ok(Poll::Pending) => {}
                    Err(payload) => return Poll::Ready(How::Panicked(payload)),
                }
            }
            let deadline = look(shared, run);
            let next = run.drop_at().or(deadline);
            let Some(at) = next else { return Poll::Pending };
            if armed != next {
                let wait = at.saturating_sub(shared.clock.now());
                alarm.set(sleep(wait));
                armed = next;
            }
            if alarm.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            armed = None;
        }
    })
    .await;
    // Dropped here and not at the end of the function: its drop may panic.
    match (guarded(|| future.set(None)), how) {
        (Err(payload), How::Returned(Ok(())) | How::Dropped) => How::Panicked(payload),
        (_, how) => how,
    }
}

/// Asks the term to end if it was lost, or is to step down. Returns when the deadline passes.
fn look(shared: &Shared, run: &Run) -> Option<At> {
    let (deadline, why, end, budget, now) = shared.with(|machine, now| {
        machine.look(now);
        let (deadline, why) = machine.end_of_lead()?;
        let (_, end) = machine.lead()?;
        Some((deadline, why, end, machine.times().stop_budget(), now))
    })?;
    let last = end.saturating_sub(Times::MARGIN);
    let drop_at = match why {
        None => return Some(deadline),
        Some(Why::Deadline) => last,
        Some(Why::StepDown) => run.drop_at().map_or(now + budget, |at| at.min(last)),
        Some(Why::Taken) => now,
    };
    if run.drop_at().is_none_or(|at| drop_at < at) {
        run.cancel(drop_at);
        // From here on the handle says that this replica does not lead.
        shared.changes.bump();
        if why == Some(Why::Taken) {
            run.move_fuse(shared.fuse_instant(end.min(now + Times::MARGIN)));
        }
    }
    None
}

/// Waits until nothing of a term is alive any more; until then the lease is renewed.
async fn released(run: &Run, mut keep: Pin<&mut impl Future<Output = ()>>) {
    let mut released = pin!(run.released());
    poll_fn(|cx| {
        let is_released = released.as_mut().poll(cx);
        if is_released.is_pending() {
            let _ = keep.as_mut().poll(cx);
        }
        is_released
    })
    .await;
}

/// Returns whether the term was neither lost nor asked to end, so that its end is that of the task.
fn is_own_end(shared: &Shared) -> bool {
    shared.with(|machine, _| machine.end_of_lead().is_some_and(|(_, why)| why.is_none()))
}

/// Fails the task at this instant, if its scope can. The future returns what is left.
fn fail(ctx: &Context, error: anyhow::Error) -> anyhow::Result<()> {
    if ctx.is_cancelled() || is_cancelled(&error) { Err(error) } else { ctx.fail(error) }
}

/// By type and not by text, as for every task. The error's own code may panic.
fn is_cancelled(error: &anyhow::Error) -> bool {
    catch(|| Cancelled::is_outermost_in(error)).unwrap_or(false)
}

/// Calls the user's code, and catches its panics, which are resumed after the release.
fn guarded<T>(body: impl FnOnce() -> T) -> Result<T, Box<dyn Any + Send>> {
    catch_unwind(AssertUnwindSafe(body))
}
