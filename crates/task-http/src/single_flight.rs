//! One run of a computation at a time, whose result all concurrent callers share.
//!
//! This is what Go calls single flight, with an age: a result may also be used again while it is
//! fresh. The run belongs to none of its callers, so a caller can go away without an effect on the
//! others.
//!
//! A run is a `watch` channel. Its sender is with the run: the value is set once, when the run
//! ends, and a sender that is dropped without a value shows that the run has failed. Its receivers
//! are with the waiters, and one is kept here for those that come later.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::{sync::watch, time::Instant};

/// A computation that runs at most once at a time.
pub(crate) struct SingleFlight<T>(Mutex<Option<Run<T>>>);

/// A run in progress or its result, with the time at which it ended.
type Run<T> = watch::Receiver<Option<(T, Instant)>>;

impl<T> Default for SingleFlight<T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<T: Clone> SingleFlight<T> {
    /// Returns a handle to the run in progress, or to the last result if it is younger than
    /// `max_age`. Otherwise begins a new run: `start` gets the [`Completer`] for its result.
    pub(crate) fn join(&self, max_age: Duration, start: impl FnOnce(Completer<T>)) -> Pending<T> {
        let mut current = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let usable = current.as_ref().filter(|run| match &*run.borrow() {
            Some((_, ended)) => ended.elapsed() < max_age,
            // A run that was dropped without a result has closed its channel.
            None => run.has_changed().is_ok(),
        });
        if let Some(run) = usable {
            return Pending(run.clone());
        }
        let (sender, run) = watch::channel(None);
        *current = Some(run.clone());
        // `start` is called without the lock, since it takes locks of its own.
        drop(current);
        start(Completer(sender));
        Pending(run)
    }
}

/// The end of a run that sets its result. Dropping it ends the run without a result.
pub(crate) struct Completer<T>(watch::Sender<Option<(T, Instant)>>);

impl<T> Completer<T> {
    /// Ends the run.
    pub(crate) fn complete(self, result: T) {
        // An error means that the `SingleFlight` and all waiters have gone.
        let _ = self.0.send(Some((result, Instant::now())));
    }
}

/// A run whose result can be waited for.
pub(crate) struct Pending<T>(Run<T>);

impl<T: Clone> Pending<T> {
    /// Waits for the result. Returns `None` if the run ended without one.
    pub(crate) async fn result(mut self) -> Option<T> {
        let completed = self.0.wait_for(Option::is_some).await.ok()?;
        completed.as_ref().map(|(result, _)| result.clone())
    }
}
