//! The future that polls a task under test. It counts the polls, stops the task at the one that it
//! is asked to, keeps the deadline, and judges the end.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{self, Poll, Wake, Waker},
    time::{Duration, Instant as RealInstant},
};

use task_core::{Cancelled, Context, Outcome, Task, scope::catch};
use tokio::{
    task::{JoinHandle, spawn_blocking},
    time::{Instant, Sleep, sleep, sleep_until},
};

use crate::recorder::Recorder;

/// How long the holds of a task that was aborted may live on.
const JOIN: Duration = Duration::from_millis(250);
/// How much real time the threads of a task have beyond a deadline: a paused clock does not wait
/// for them.
const REAL_TIME: Duration = Duration::from_secs(2);

type UserFuture = Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send>>;

/// What is done to the task once it has returned `Pending` so many times, 0 being before its first
/// poll.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Injection {
    pub(crate) at: usize,
    pub(crate) stop: Stop,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Stop {
    Drop,
    /// Drains first, for that long, unless it is zero.
    Cancel {
        drain: Duration,
    },
}

/// How a task is driven.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Drive {
    pub(crate) injection: Option<Injection>,
    /// How long the task has from its cancellation on.
    pub(crate) limit: Option<Duration>,
    /// What its context says of that, where it differs.
    pub(crate) shown: Option<Duration>,
    /// How many polls it has before it is cancelled, and again after.
    pub(crate) most_polls: Option<usize>,
}

/// What was seen of the task.
#[derive(Clone, Debug, Default)]
pub(crate) struct Observed {
    /// How many polls returned `Pending`.
    pub(crate) pending: usize,
    /// How many of them did before the task was cancelled or aborted.
    pub(crate) before_stop: usize,
    /// Where the injection took place: the time since the start, and the task's status.
    pub(crate) injected: Option<(Duration, Option<String>)>,
    /// Whether the task was polled after it was cancelled.
    pub(crate) polled_after_stop: bool,
    /// Whether it was dropped for lack of time, or of polls.
    pub(crate) ran_out: Option<RanOut>,
    /// The real time of the slowest poll, and of the drop.
    pub(crate) slowest_poll: Duration,
    pub(crate) drop_took: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RanOut {
    Time,
    Polls,
}

/// The real time that threads have beyond a deadline. A blocking job of the runtime holds a paused
/// clock meanwhile.
enum Grace {
    Unused,
    Running(JoinHandle<()>),
    Used,
}

pub(crate) struct Driven {
    recorder: Arc<Recorder>,
    drive: Drive,
    /// `None` once it has ended.
    future: Option<UserFuture>,
    inner: Arc<InnerWaker>,
    inner_waker: Waker,
    timer: Option<(Instant, Pin<Box<Sleep>>)>,
    /// Until when holds may live on after an abort.
    join: Option<Instant>,
    grace: Grace,
    end: Option<(Outcome, Option<anyhow::Error>)>,
    observed: Observed,
}

impl Driven {
    /// Admits the task, as a manager does. Must be called within a runtime.
    pub(crate) fn new(mut task: impl Task, recorder: &Arc<Recorder>, drive: Drive) -> Self {
        let ctx = Context::new(recorder.clone());
        task.admitted(&ctx);
        let inner =
            Arc::new(InnerWaker { is_woken: AtomicBool::new(true), outer: Mutex::default() });
        Self {
            recorder: recorder.clone(),
            drive,
            future: Some(Box::pin(async move { task.run(ctx).await })),
            inner_waker: inner.clone().into(),
            inner,
            timer: None,
            join: None,
            grace: Grace::Unused,
            end: None,
            observed: Observed::default(),
        }
    }

    fn is_spent(&self) -> bool {
        let since = if self.recorder.is_cancelled() { self.observed.before_stop } else { 0 };
        self.drive.most_polls.is_some_and(|most| self.observed.pending - since >= most)
    }

    /// Stops the task if this is the point at which it is to be.
    fn inject(&mut self) {
        let Some(Injection { at, stop }) = self.drive.injection else { return };
        if at != self.observed.pending {
            return;
        }
        self.drive.injection = None;
        self.observed.injected = Some((self.recorder.elapsed(), self.recorder.status()));
        let (recorder, Drive { limit, shown, .. }) = (self.recorder.clone(), self.drive);
        match stop {
            Stop::Drop => self.abort(),
            Stop::Cancel { drain } if drain.is_zero() => recorder.cancel(limit, shown),
            Stop::Cancel { drain } => {
                recorder.drain();
                tokio::spawn(async move {
                    sleep(drain).await;
                    recorder.cancel(limit, shown);
                });
            }
        }
    }

    fn abort(&mut self) {
        self.recorder.aborted();
        self.join = Some(Instant::now() + JOIN);
        self.end(Outcome::Aborted, None);
    }

    /// Polls the task once. Returns whether it is still alive.
    fn poll_task(&mut self) -> bool {
        let Some(future) = &mut self.future else { return false };
        let was_cancelled = self.recorder.is_cancelled();
        let began = RealInstant::now();
        let cx = &mut task::Context::from_waker(&self.inner_waker);
        let polled = catch(|| future.as_mut().poll(cx));
        self.observed.slowest_poll = self.observed.slowest_poll.max(began.elapsed());
        self.observed.polled_after_stop |= was_cancelled;
        match polled {
            Ok(Poll::Pending) => {
                self.observed.pending += 1;
                self.observed.before_stop += usize::from(!self.recorder.is_cancelled());
                return true;
            }
            Ok(Poll::Ready(Ok(()))) => self.end(Outcome::Completed, None),
            Ok(Poll::Ready(Err(error))) => {
                let is_clean = self.recorder.is_cancelled() && Cancelled::is_outermost_in(&error);
                let outcome = if is_clean { Outcome::Cancelled } else { Outcome::Failed };
                self.end(outcome, Some(error).filter(|_| !is_clean));
            }
            Err(panic) => self.end(Outcome::Panicked, Some(panic.into())),
        }
        false
    }

    /// Drops the future, and records its end. A panic in the drop is the outcome.
    fn end(&mut self, outcome: Outcome, error: Option<anyhow::Error>) {
        let future = self.future.take();
        let began = RealInstant::now();
        let dropped = catch(|| drop(future));
        self.observed.drop_took = began.elapsed();
        self.end = Some(match dropped {
            Err(panic) if error.is_none() => (Outcome::Panicked, Some(panic.into())),
            Ok(()) | Err(_) => (outcome, error),
        });
        if self.recorder.holds() > 0 {
            self.recorder.cancel(self.drive.limit, self.drive.shown);
        }
    }

    /// Polls the deadline, which may move. Once it has passed, threads that keep a hold have some
    /// real time before this returns true.
    fn has_passed(&mut self, cx: &mut task::Context<'_>) -> bool {
        let Some(deadline) = self.join.or_else(|| self.recorder.deadline()) else { return false };
        if self.timer.as_ref().is_none_or(|(old, _)| *old != deadline) {
            self.timer = Some((deadline, timer(deadline)));
        }
        if let Some((_, timer)) = &mut self.timer
            && timer.as_mut().poll(cx).is_pending()
        {
            return false;
        }
        if let Grace::Unused = self.grace {
            if self.recorder.holds() == 0 {
                return true;
            }
            let recorder = self.recorder.clone();
            self.grace = Grace::Running(spawn_blocking(move || recorder.wait_released(REAL_TIME)));
        }
        if let Grace::Running(job) = &mut self.grace {
            if Pin::new(job).poll(cx).is_pending() {
                return false;
            }
            self.grace = Grace::Used;
        }
        true
    }
}

/// A timer for a deadline. The clock of tests counts milliseconds, and what ends at the very
/// deadline is in time.
fn timer(deadline: Instant) -> Pin<Box<Sleep>> {
    Box::pin(sleep_until(deadline.checked_add(Duration::from_millis(1)).unwrap_or(deadline)))
}

impl Future for Driven {
    type Output = Observed;

    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Observed> {
        let this = &mut *self;
        this.inner.set_outer(cx.waker());
        this.recorder.set_driver(cx.waker());
        let mut was_polled = false;
        while this.future.is_some() {
            // As under the manager, an abort comes after the first poll at the earliest.
            if this.recorder.is_abort_asked() && this.observed.pending > 0 {
                this.abort();
                break;
            }
            this.inject();
            let is_cancelled = this.recorder.is_cancelled();
            if this.is_spent() && !is_cancelled {
                this.recorder.cancel(this.drive.limit, this.drive.shown);
            } else if this.is_spent() {
                this.observed.ran_out = Some(RanOut::Polls);
                this.abort();
                break;
            }
            if this.future.is_none() {
                break;
            }
            let is_due = !was_polled && this.inner.take_woken();
            if is_due {
                was_polled = true;
                if !this.poll_task() {
                    break;
                }
            } else if this.has_passed(cx) {
                this.observed.ran_out = Some(RanOut::Time);
                this.abort();
                break;
            } else {
                return Poll::Pending;
            }
        }
        let is_held = this.recorder.holds() > 0;
        if is_held {
            if !this.has_passed(cx) {
                return Poll::Pending;
            }
            if this.recorder.holds() > 0 {
                this.end = Some((Outcome::Abandoned, None));
            }
        }
        if let Some((outcome, error)) = this.end.take() {
            this.recorder.end(outcome, error);
        }
        Poll::Ready(this.observed.clone())
    }
}

/// Dropped with its runtime, or by the test.
impl Drop for Driven {
    fn drop(&mut self) {
        if self.future.is_some() {
            self.recorder.aborted();
            self.end(Outcome::Aborted, None);
        }
        if let Some((outcome, error)) = self.end.take() {
            self.recorder.end(outcome, error);
        }
    }
}

/// Wakes the driving future, and remembers that the task itself was woken: other wake-ups must not
/// poll it, or a task that forgets its waker would seem to work.
struct InnerWaker {
    is_woken: AtomicBool,
    outer: Mutex<Option<Waker>>,
}

impl InnerWaker {
    fn set_outer(&self, waker: &Waker) {
        let mut outer = self.outer.lock().unwrap_or_else(PoisonError::into_inner);
        if !outer.as_ref().is_some_and(|old| old.will_wake(waker)) {
            let _old = outer.replace(waker.clone());
        }
    }

    fn take_woken(&self) -> bool {
        self.is_woken.swap(false, Ordering::AcqRel)
    }
}

impl Wake for InnerWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.is_woken.store(true, Ordering::Release);
        let outer = self.outer.lock().unwrap_or_else(PoisonError::into_inner).clone();
        outer.into_iter().for_each(Waker::wake);
    }
}
