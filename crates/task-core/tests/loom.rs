//! Every interleaving of raising a level and waiting for it, within loom's bounds:
//! invariant L1.
//!
//! A lost wake-up shows as a deadlock, which loom reports. `LOOM_MAX_PREEMPTIONS` sets how many
//! times a thread may be interrupted in mid-step; the default here is 3, which covers two threads
//! that each slip into the other once more than L1's argument needs.
#![cfg(task_loom)]
#![allow(clippy::unwrap_used)]

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Wake, Waker},
};

use loom::{future::block_on, thread};
use task_core::{
    Context as TaskContext,
    scope::{Level, Stage, StageCell},
};

/// Runs every interleaving of `body`.
fn model(body: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(3));
    builder.check(body);
}

/// Counts how often it is woken. Not one of loom's types on purpose: the count is read when all
/// threads are joined.
#[derive(Default)]
struct Counter(AtomicUsize);

impl Counter {
    fn waker() -> (Arc<Self>, Waker) {
        let counter = Arc::new(Self::default());
        (counter.clone(), counter.into())
    }

    fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Wake for Counter {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Invariant L1.
#[test]
fn a_waiter_is_woken_by_the_raise_that_reaches_its_threshold() {
    model(|| {
        let level = Arc::new(Level::new());
        let raiser = thread::spawn({
            let level = Arc::clone(&level);
            move || level.raise(1)
        });
        block_on(level.reached(1));
        assert_eq!(level.get(), 1);
        raiser.join().unwrap();
    });
}

#[test]
fn two_raisers_leave_no_waiter_asleep() {
    model(|| {
        let level = Arc::new(Level::new());
        let raisers = [1, 2].map(|value| {
            let level = Arc::clone(&level);
            thread::spawn(move || level.raise(value))
        });
        block_on(level.reached(1));
        block_on(level.reached(2));
        for raiser in raisers {
            raiser.join().unwrap();
        }
    });
}

#[test]
fn two_bumps_add_up_and_wake_a_wait_for_both() {
    model(|| {
        let level = Arc::new(Level::new());
        let raisers = [(); 2].map(|()| {
            let level = Arc::clone(&level);
            thread::spawn(move || level.bump())
        });
        block_on(level.reached(2));
        assert_eq!(level.get(), 2);
        for raiser in raisers {
            raiser.join().unwrap();
        }
    });
}

#[test]
fn two_waiters_of_different_thresholds_are_both_woken() {
    model(|| {
        let level = Arc::new(Level::new());
        let waiters = [1, 2].map(|threshold| {
            let level = Arc::clone(&level);
            thread::spawn(move || block_on(level.reached(threshold)))
        });
        level.raise(1);
        level.raise(2);
        for waiter in waiters {
            waiter.join().unwrap();
        }
    });
}

#[test]
fn a_wait_dropped_during_a_raise_takes_no_wake_up_from_others() {
    model(|| {
        let level = Arc::new(Level::new());
        let raiser = thread::spawn({
            let level = Arc::clone(&level);
            move || level.raise(1)
        });
        let dropper = thread::spawn({
            let level = Arc::clone(&level);
            move || {
                let (_, waker) = Counter::waker();
                let mut dropped = Box::pin(level.reached(1));
                let _ = dropped.as_mut().poll(&mut Context::from_waker(&waker));
            }
        });
        block_on(level.reached(1));
        raiser.join().unwrap();
        dropper.join().unwrap();
    });
}

#[test]
fn a_wait_that_changed_its_waker_is_woken_by_the_new_one() {
    model(|| {
        let level = Arc::new(Level::new());
        let raiser = thread::spawn({
            let level = Arc::clone(&level);
            move || level.raise(1)
        });
        let (_, first) = Counter::waker();
        let (second_count, second) = Counter::waker();
        let mut wait = pin!(level.reached(1));
        let early = wait.as_mut().poll(&mut Context::from_waker(&first)).is_ready();
        let late = !early && wait.as_mut().poll(&mut Context::from_waker(&second)).is_ready();
        raiser.join().unwrap();
        assert!(
            early || late || second_count.count() == 1,
            "pending, and its last waker not called"
        );
    });
}

#[test]
fn a_waker_of_wake_at_is_called_exactly_once() {
    model(|| {
        let level = Arc::new(Level::new());
        let raisers = [1, 2].map(|value| {
            let level = Arc::clone(&level);
            thread::spawn(move || level.raise(value))
        });
        let (counter, waker) = Counter::waker();
        level.wake_at(1, waker);
        for raiser in raisers {
            raiser.join().unwrap();
        }
        assert_eq!(counter.count(), 1);
    });
}

#[test]
fn wakers_that_are_called_later_wake_every_wait() {
    model(|| {
        let level = Arc::new(Level::new());
        let raiser = thread::spawn({
            let level = Arc::clone(&level);
            move || {
                let mut wakers = level.raise_quietly(1);
                wakers.append(level.raise_quietly(2));
                wakers.wake();
            }
        });
        block_on(level.reached(1));
        block_on(level.reached(2));
        raiser.join().unwrap();
    });
}

#[test]
fn a_stage_advanced_twice_at_once_ends_at_the_later_and_wakes_for_both() {
    model(|| {
        let stage = Arc::new(StageCell::new());
        let advancers = [Stage::Draining, Stage::Cancelled].map(|to| {
            let stage = Arc::clone(&stage);
            thread::spawn(move || stage.advance(to))
        });
        block_on(stage.reached(Stage::Draining));
        block_on(stage.reached(Stage::Cancelled));
        for advancer in advancers {
            advancer.join().unwrap();
        }
        assert_eq!(stage.get(), Stage::Cancelled);
    });
}

/// Invariant L1, for the waits that borrow nothing.
#[test]
fn an_owned_wait_is_woken_by_the_stop_and_one_that_is_dropped_leaves_none_asleep() {
    model(|| {
        let stage = Arc::new(StageCell::new());
        let ctx = TaskContext::new(Arc::clone(&stage) as _);
        let stopper = thread::spawn(move || stage.advance(Stage::Cancelled));
        let (counter, waker) = Counter::waker();
        let mut dropped = ctx.cancelled_owned();
        let _ = pin!(&mut dropped).poll(&mut Context::from_waker(&waker));
        drop(dropped);
        block_on(ctx.cancelled_owned());
        stopper.join().unwrap();
        // The list has let go of the waker: what is left are the two here.
        assert_eq!(Arc::strong_count(&counter), 2);
    });
}
