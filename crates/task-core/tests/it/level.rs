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

use proptest::{collection::vec, prelude::*};
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

/// Invariant L1. More thresholds than have a list in place, and enough waits that those that are
/// due may leave with their list.
#[test]
fn many_waits_of_many_thresholds_are_each_woken_by_the_raise_that_reaches_theirs() {
    const THRESHOLDS: usize = 9;
    for step in 1..=THRESHOLDS {
        let level = Level::new();
        let counts: Vec<_> = (0..THRESHOLDS).map(|_| count()).collect();
        let mut waits = Vec::new();
        for (threshold, (_, waker)) in (1..).zip(&counts).cycle().take(40 * THRESHOLDS) {
            let mut wait = Box::pin(level.reached(threshold));
            assert!(poll(wait.as_mut(), waker).is_pending());
            waits.push(wait);
        }
        for value in (step..=THRESHOLDS).step_by(step) {
            level.raise(value as u64);
            let woken: Vec<_> = counts.iter().map(|(count, _)| woken(count)).collect();
            let due = (1..=THRESHOLDS).map(|threshold| if threshold <= value { 40 } else { 0 });
            assert_eq!(woken, due.collect::<Vec<_>>(), "at {value}");
        }
    }
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

/// What is done to a level with a few waits and wakers.
#[derive(Clone, Debug)]
enum Step {
    /// Polls a wait, a new one if there is none, with a waker.
    Poll {
        wait: usize,
        above: u64,
        waker: usize,
    },
    Drop {
        wait: usize,
    },
    WakeAt {
        above: u64,
        waker: usize,
    },
    Raise {
        by: u64,
    },
    Bump,
}

const WAITS: usize = 160;
const WAKERS: usize = 5;

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (wait, waker) = (0..WAITS, 0..WAKERS);
    let step = prop_oneof![
        30 => (wait.clone(), 0_u64..6, waker.clone())
            .prop_map(|(wait, above, waker)| Step::Poll { wait, above, waker }),
        10 => wait.prop_map(|wait| Step::Drop { wait }),
        2 => (0_u64..6, waker).prop_map(|(above, waker)| Step::WakeAt { above, waker }),
        1 => (0_u64..4).prop_map(|by| Step::Raise { by }),
        1 => Just(Step::Bump),
    ];
    vec(step, 1..400)
}

/// A level as a list of what is listed: for each the threshold, the waker, and the wait that it
/// belongs to.
#[derive(Default)]
struct Model {
    value: u64,
    listed: Vec<(u64, usize, Option<usize>)>,
    woken: [usize; WAKERS],
}

impl Model {
    fn forget(&mut self, wait: usize) {
        self.listed.retain(|(.., of)| *of != Some(wait));
    }

    fn raise(&mut self, value: u64) {
        self.value = value;
        for (_, waker, _) in self.listed.extract_if(.., |(threshold, ..)| *threshold <= value) {
            self.woken[waker] += 1;
        }
    }
}

proptest! {
    /// Invariant L1. Each waker is called as often as it must be, and no clone of it is left.
    #[test]
    fn any_steps_wake_and_forget_as_a_plain_list_would(steps in steps()) {
        let level = Level::new();
        let wakers: Vec<_> = (0..WAKERS).map(|_| count()).collect();
        let mut waits: Vec<_> = (0..WAITS).map(|_| None).collect();
        let mut thresholds = [0; WAITS];
        let mut model = Model::default();
        for step in steps {
            match step {
                Step::Poll { wait, above, waker } => {
                    let future = waits[wait].get_or_insert_with(|| {
                        thresholds[wait] = level.get() + above;
                        Box::pin(level.reached(thresholds[wait]))
                    });
                    let is_ready = poll(future.as_mut(), &wakers[waker].1).is_ready();
                    prop_assert_eq!(is_ready, thresholds[wait] <= model.value);
                    model.forget(wait);
                    if !is_ready {
                        model.listed.push((thresholds[wait], waker, Some(wait)));
                    }
                }
                Step::Drop { wait } => {
                    waits[wait] = None;
                    model.forget(wait);
                }
                Step::WakeAt { above, waker } => {
                    let threshold = level.get() + above;
                    level.wake_at(threshold, wakers[waker].1.clone());
                    model.listed.push((threshold, waker, None));
                    model.raise(model.value);
                }
                Step::Raise { by } => {
                    level.raise(level.get() + by);
                    model.raise(model.value + by);
                }
                Step::Bump => {
                    level.bump();
                    model.raise(model.value + 1);
                }
            }
            prop_assert_eq!(level.get(), model.value);
            for (number, (count, _)) in wakers.iter().enumerate() {
                prop_assert_eq!(woken(count), model.woken[number]);
                let listed = model.listed.iter().filter(|(_, waker, _)| *waker == number).count();
                // The test's own two, and those in the list.
                prop_assert_eq!(Arc::strong_count(count), 2 + listed);
            }
        }
    }
}
