//! The waiting primitive on one thread. `loom.rs` has the interleavings.

use std::{
    future::Future as _,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use task_core::{WaitFor, scope::Level};

/// Counts how often it is woken.
#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn count() -> (Arc<Count>, Waker) {
    let count = Arc::new(Count::default());
    (count.clone(), count.into())
}

fn woken(count: &Count) -> usize {
    count.0.load(Ordering::SeqCst)
}

fn poll(wait: Pin<&mut WaitFor<'_>>, waker: &Waker) -> Poll<()> {
    wait.poll(&mut Context::from_waker(waker))
}

#[test]
fn it_only_grows() {
    let level = Level::new();
    level.raise(3);
    level.raise(2);
    assert_eq!(level.get(), 3);
    level.bump();
    assert_eq!(level.get(), 4);
}

/// Invariant L1.
#[test]
fn waits_whose_threshold_is_reached_are_woken_once_each() {
    let level = Level::new();
    let counts: Vec<_> = (1..=4).map(|_| count()).collect();
    let mut waits: Vec<_> = (1..=4).map(|threshold| Box::pin(level.reached(threshold))).collect();
    for (wait, (_, waker)) in waits.iter_mut().zip(&counts) {
        assert!(poll(wait.as_mut(), waker).is_pending());
    }
    let counted = || counts.iter().map(|(count, _)| woken(count)).collect::<Vec<_>>();
    level.raise(2);
    assert_eq!(counted(), [1, 1, 0, 0]);
    level.bump();
    assert_eq!(counted(), [1, 1, 1, 0]);
    // Not above the value: no waker is called.
    level.raise(3);
    assert_eq!(counted(), [1, 1, 1, 0]);
    let ready = waits.iter_mut().zip(&counts).map(|(wait, (_, waker))| poll(wait.as_mut(), waker));
    assert_eq!(ready.map(|poll| poll.is_ready()).collect::<Vec<_>>(), [true, true, true, false]);
}

#[test]
fn a_wait_that_is_dropped_is_not_woken_and_the_others_are() {
    let level = Level::new();
    let counts: Vec<_> = (0..3).map(|_| count()).collect();
    let mut waits: Vec<_> = counts.iter().map(|_| Some(Box::pin(level.reached(1)))).collect();
    for (wait, (_, waker)) in waits.iter_mut().zip(&counts) {
        assert!(poll(wait.as_mut().unwrap().as_mut(), waker).is_pending());
    }
    // The list stores its first waiter apart from the rest.
    waits[2] = None;
    waits[0] = None;
    level.raise(1);
    assert_eq!(counts.iter().map(|(count, _)| woken(count)).collect::<Vec<_>>(), [0, 1, 0]);
    // The dropped wait left no clone of its waker behind.
    assert_eq!(Arc::strong_count(&counts[0].0), 2);
}

#[test]
fn a_wait_polled_with_another_waker_wakes_only_that_one() {
    let level = Level::new();
    let ((first, waker), (second, other)) = (count(), count());
    let mut wait = pin!(level.reached(1));
    assert!(poll(wait.as_mut(), &waker).is_pending());
    assert!(poll(wait.as_mut(), &waker).is_pending());
    assert!(poll(wait.as_mut(), &other).is_pending());
    level.raise(1);
    assert_eq!((woken(&first), woken(&second)), (0, 1));
}

#[test]
fn a_wait_is_listed_even_if_another_wait_had_the_same_waker() {
    let level = Level::new();
    let ((first, waker), (second, other)) = (count(), count());
    let mut wait = pin!(level.reached(1));
    assert!(poll(wait.as_mut(), &waker).is_pending());
    {
        let mut short = pin!(level.reached(2));
        assert!(poll(short.as_mut(), &other).is_pending());
        assert!(poll(wait.as_mut(), &other).is_pending());
    }
    level.raise(1);
    assert_eq!((woken(&first), woken(&second)), (0, 1));
}

#[test]
fn wake_at_calls_the_waker_at_its_threshold_or_at_once() {
    let level = Level::new();
    let (later, waker) = count();
    level.wake_at(2, waker);
    level.raise(1);
    assert_eq!(woken(&later), 0);
    level.raise(2);
    assert_eq!(woken(&later), 1);
    let (now, waker) = count();
    level.wake_at(2, waker);
    assert_eq!(woken(&now), 1);
}

#[test]
fn a_waker_that_panics_does_not_keep_others_from_being_called() {
    struct Bad;
    impl Wake for Bad {
        fn wake(self: Arc<Self>) {
            panic!("a bad waker");
        }
    }
    let level = Level::new();
    let (before, first) = count();
    let (after, last) = count();
    level.wake_at(1, first);
    level.wake_at(1, Arc::new(Bad).into());
    level.wake_at(1, last);
    level.raise(1);
    assert_eq!((woken(&before), woken(&after)), (1, 1));
}

#[test]
fn wakers_that_were_returned_can_be_appended_and_called_later() {
    let (one, two) = (Level::new(), Level::new());
    let counts: Vec<_> = (0..3).map(|_| count()).collect();
    one.wake_at(1, counts[0].1.clone());
    one.wake_at(1, counts[1].1.clone());
    two.wake_at(1, counts[2].1.clone());
    let mut wakers = one.raise_quietly(1);
    assert!(!wakers.is_empty() && one.raise_quietly(1).is_empty());
    wakers.append(two.raise_quietly(1));
    assert!(counts.iter().all(|(count, _)| woken(count) == 0));
    wakers.wake();
    assert!(counts.iter().all(|(count, _)| woken(count) == 1));

    two.wake_at(2, counts[2].1.clone());
    let rest = two.raise_quietly(2);
    assert!(!rest.is_empty());
    assert_eq!(rest.into_iter().count(), 1);
}
