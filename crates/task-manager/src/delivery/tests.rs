//! Whose wakers are called by whom, and when help is sent for. With wakers that block: the tests `wedge`.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::Wake,
    thread,
};

use task_core::scope::{Level, Wakers};

use super::{Delivery, MOST_HELPERS, PATIENCE};

#[derive(Default)]
struct Calls(AtomicUsize);

impl Calls {
    fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Wake for Calls {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// As many wakers, and how often they were called.
fn due(count: usize) -> (Wakers, Arc<Calls>) {
    let (level, calls) = (Level::new(), Arc::new(Calls::default()));
    (0..count).for_each(|_| level.wake_at(1, Arc::clone(&calls).into()));
    (level.bump_quietly(), calls)
}

#[test]
fn whoever_delivers_a_parcel_calls_no_waker_of_another() {
    let delivery = Delivery::default();
    let ((first, first_calls), (second, second_calls)) = (due(3), due(2));
    let (first, second) = (delivery.add(first), delivery.add(second));
    delivery.run(second);
    assert_eq!((first_calls.get(), second_calls.get()), (0, 2));
    delivery.run(first);
    assert_eq!((first_calls.get(), second_calls.get()), (3, 2));
}

#[test]
fn who_helps_calls_the_wakers_of_all() {
    let delivery = Delivery::default();
    let ((first, first_calls), (second, second_calls)) = (due(3), due(2));
    let parcels = (delivery.add(first), delivery.add(second));
    delivery.help();
    assert_eq!((first_calls.get(), second_calls.get()), (3, 2));
    delivery.run(parcels.0);
    delivery.run(parcels.1);
    assert_eq!((first_calls.get(), second_calls.get()), (3, 2), "once each");
}

#[test]
fn wakers_join_a_parcel_also_when_others_have_delivered_it() {
    let delivery = Delivery::default();
    let ((first, first_calls), (second, second_calls)) = (due(1), due(1));
    let parcel = delivery.join(delivery.add(first), second);
    assert!(parcel.is_many);
    delivery.help();
    assert_eq!((first_calls.get(), second_calls.get()), (1, 1));
    let (third, third_calls) = due(1);
    delivery.run(delivery.join(parcel, third));
    assert_eq!(third_calls.get(), 1);
}

/// Looks twice, and the second time after a queue that has not moved is stuck.
fn look_and_wait(delivery: &Delivery) {
    assert!(delivery.patience().is_some_and(|patience| patience <= PATIENCE));
    thread::sleep(PATIENCE);
}

#[test]
fn a_queue_that_moves_is_not_stuck() {
    let delivery = Delivery::default();
    let _undelivered = delivery.add(due(10).0);
    // More than once, for a machine that takes so long between two lines.
    let has_moved = || {
        look_and_wait(&delivery);
        drop(delivery.next(|_| true));
        !delivery.is_stuck()
    };
    assert!((0..5).any(|_| has_moved()));
    look_and_wait(&delivery);
    assert!(delivery.is_stuck());
}

#[test]
fn twice_as_many_are_sent_for_each_time_until_there_are_enough() {
    let delivery = Delivery::default();
    let _undelivered = delivery.add(due(100).0);
    let mut helpers = Vec::new();
    while helpers.iter().sum::<usize>() < MOST_HELPERS {
        look_and_wait(&delivery);
        helpers.push(delivery.send_for_help());
    }
    assert_eq!(helpers, [1, 2, 4, 8, 16, 1]);
    assert_eq!(delivery.patience(), None, "from now on nobody looks");
    assert_eq!(delivery.send_for_help(), 0);

    delivery.help();
    let _undelivered = delivery.add(due(3).0);
    look_and_wait(&delivery);
    assert_eq!(delivery.send_for_help(), 1, "all queues have been empty");
    look_and_wait(&delivery);
    assert_eq!(delivery.send_for_help(), 2);
    drop(delivery.next(|_| true));
    drop(delivery.next(|_| true));
    look_and_wait(&delivery);
    assert_eq!(delivery.send_for_help(), 1, "not more than there are wakers");
}
