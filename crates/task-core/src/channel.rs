//! A queue from threads to a thread: a lock, a list and a condition variable.

use std::{
    collections::VecDeque,
    fmt, mem,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        mpsc::{RecvError, RecvTimeoutError, SendError},
    },
    time::Duration,
};

/// Makes a queue without a limit, for the few messages between a crate's own threads.
///
/// It behaves like the channel of [`std::sync::mpsc`], with the same errors, and is made to be
/// small: each type of message that goes through that one adds about 25 KiB to a program, through
/// this one about two. A message costs a lock at either end.
///
/// # Examples
///
/// ```
/// use std::{sync::mpsc::RecvTimeoutError, thread, time::Duration};
/// use task_core::scope::channel;
///
/// let (sender, receiver) = channel();
/// let thread = thread::spawn(move || sender.send(7));
/// assert_eq!(receiver.recv(), Ok(7));
/// thread.join().unwrap().unwrap();
/// let closed = receiver.recv_timeout(Duration::from_secs(1));
/// assert_eq!(closed, Err(RecvTimeoutError::Disconnected));
/// ```
pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let state = Mutex::new(State { queue: VecDeque::new(), senders: 1, has_receiver: true });
    let queue = Arc::new(Queue { state, arrived: Condvar::new() });
    (Sender(Arc::clone(&queue)), Receiver(queue))
}

/// The end of a [`channel`] that messages go in at. When the last one is dropped, the receiver gets
/// what is queued, and then an error.
pub struct Sender<T>(Arc<Queue<T>>);

/// The end of a [`channel`] that messages come out at. Dropping it drops what is queued.
pub struct Receiver<T>(Arc<Queue<T>>);

struct Queue<T> {
    state: Mutex<State<T>>,
    /// Notified for a message, and when the last sender is gone.
    arrived: Condvar,
}

struct State<T> {
    queue: VecDeque<T>,
    senders: usize,
    has_receiver: bool,
}

impl<T> Sender<T> {
    /// Queues a message. Never waits for the receiver.
    ///
    /// # Errors
    ///
    /// Returns the message if the receiver was dropped.
    pub fn send(&self, message: T) -> Result<(), SendError<T>> {
        let mut state = self.0.lock();
        if !state.has_receiver {
            drop(state);
            return Err(SendError(message));
        }
        state.queue.push_back(message);
        drop(state);
        self.0.arrived.notify_one();
        Ok(())
    }
}

impl<T> Receiver<T> {
    /// Waits for a message.
    ///
    /// # Errors
    ///
    /// If nothing is queued and every sender was dropped.
    pub fn recv(&self) -> Result<T, RecvError> {
        let state = self.0.lock();
        let waited = self.0.arrived.wait_while(state, |state| state.is_waiting());
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        state.queue.pop_front().ok_or(RecvError)
    }

    /// Waits for a message, for at most `timeout`. With a time of zero, it takes what is queued.
    ///
    /// # Errors
    ///
    /// If none came in time, or nothing is queued and every sender was dropped.
    pub fn recv_timeout(&self, timeout: Duration) -> Result<T, RecvTimeoutError> {
        let state = self.0.lock();
        let waited = self.0.arrived.wait_timeout_while(state, timeout, |state| state.is_waiting());
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let error = match state.senders {
            0 => RecvTimeoutError::Disconnected,
            _ => RecvTimeoutError::Timeout,
        };
        state.queue.pop_front().ok_or(error)
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.0.lock().senders += 1;
        Self(Arc::clone(&self.0))
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.senders -= 1;
        if state.senders == 0 {
            drop(state);
            // Several threads may wait by one receiver.
            self.0.arrived.notify_all();
        }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.has_receiver = false;
        let queue = mem::take(&mut state.queue);
        // A message's drop may do anything, also use this channel.
        drop(state);
        drop(queue);
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").finish_non_exhaustive()
    }
}

impl<T> Queue<T> {
    /// No critical section runs foreign code, so none leaves the state inconsistent.
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> State<T> {
    /// Whether the receiver has nothing to take yet, and something may still come.
    fn is_waiting(&self) -> bool {
        self.queue.is_empty() && self.senders > 0
    }
}
