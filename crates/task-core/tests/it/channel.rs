//! The queue to a thread: what arrives, in which order, and how each end learns that the other is
//! gone.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc::{RecvError, RecvTimeoutError, SendError},
    },
    thread,
    time::{Duration, Instant},
};

use task_core::scope::{Sender, channel};

/// Longer than any machine is slow.
const LONG: Duration = Duration::from_secs(60);

#[test]
fn messages_of_each_sender_arrive_in_order_and_none_is_lost() {
    const EACH: usize = 2_000;
    let (sender, receiver) = channel();
    let threads: Vec<_> = (0..3)
        .map(|thread| {
            let sender = sender.clone();
            thread::spawn(move || (0..EACH).try_for_each(|number| sender.send((thread, number))))
        })
        .collect();
    drop(sender);
    let mut next = [0; 3];
    while let Ok((thread, number)) = receiver.recv() {
        assert_eq!(number, next[thread]);
        next[thread] += 1;
    }
    assert_eq!(next, [EACH; 3]);
    threads.into_iter().for_each(|thread| thread.join().unwrap().unwrap());
}

#[test]
fn what_is_queued_arrives_after_the_last_sender_is_gone() {
    let (sender, receiver) = channel();
    let other = sender.clone();
    sender.send(1).unwrap();
    drop(sender);
    assert_eq!(receiver.recv(), Ok(1));
    assert_eq!(receiver.recv_timeout(Duration::ZERO), Err(RecvTimeoutError::Timeout));
    other.send(2).unwrap();
    drop(other);
    assert_eq!(receiver.recv_timeout(Duration::ZERO), Ok(2));
    assert_eq!(receiver.recv_timeout(LONG), Err(RecvTimeoutError::Disconnected));
    assert_eq!(receiver.recv(), Err(RecvError));
}

#[test]
fn a_receiver_that_waits_learns_of_a_message_and_of_the_loss_of_the_last_sender() {
    let (sender, receiver) = channel();
    let (answer, answered) = channel();
    let thread = thread::spawn(move || {
        answer.send(receiver.recv()).unwrap();
        receiver.recv()
    });
    sender.send(5).unwrap();
    assert_eq!(answered.recv_timeout(LONG), Ok(Ok(5)));
    drop(sender);
    assert_eq!(thread.join().unwrap(), Err(RecvError));
}

#[test]
fn a_message_to_a_receiver_that_is_gone_comes_back() {
    let (sender, receiver) = channel();
    drop(receiver);
    assert_eq!(sender.send(3), Err(SendError(3)));
}

#[test]
fn a_message_that_is_dropped_with_the_receiver_may_use_the_channel() {
    struct Late(Arc<Mutex<Option<Sender<Late>>>>, Arc<Mutex<bool>>);
    impl Drop for Late {
        fn drop(&mut self) {
            let Some(sender) = self.0.lock().unwrap().take() else { return };
            let (slot, refused) = (Arc::default(), Arc::clone(&self.1));
            *refused.lock().unwrap() = sender.send(Self(slot, Arc::default())).is_err();
        }
    }

    let (sender, receiver) = channel();
    let refused = Arc::new(Mutex::new(false));
    let slot = Arc::new(Mutex::new(Some(sender.clone())));
    assert!(sender.send(Late(slot, Arc::clone(&refused))).is_ok());
    drop(receiver);
    assert!(*refused.lock().unwrap());
}

#[test]
fn the_drop_of_the_last_sender_ends_every_wait() {
    let (sender, receiver) = channel::<u8>();
    let (waiting, returned) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                waiting.fetch_add(1, Ordering::SeqCst);
                assert_eq!(receiver.recv_timeout(LONG), Err(RecvTimeoutError::Disconnected));
                returned.fetch_add(1, Ordering::SeqCst);
            });
        }
        while waiting.load(Ordering::SeqCst) < 2 {
            thread::yield_now();
        }
        // What is left of the way into the wait.
        thread::sleep(Duration::from_millis(50));
        let dropped = Instant::now();
        drop(sender);
        while returned.load(Ordering::SeqCst) < 2 {
            assert!(dropped.elapsed() < LONG / 2, "a wait goes on");
            thread::sleep(Duration::from_millis(1));
        }
    });
}
