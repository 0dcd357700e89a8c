//! One run of something at a time, whose result everybody who asked for it meanwhile shares.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::{sync::watch, time::Instant};

/// A computation of which at most one runs. The run belongs to nobody: whoever asked may go away.
pub(crate) struct Flight<T>(Mutex<Option<Run<T>>>);

type Run<T> = watch::Receiver<Option<(T, Instant)>>;

impl<T> Default for Flight<T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<T: Clone> Flight<T> {
    /// Joins the run in progress, or takes the last result if it is younger than `max_age`, or has `start` begin a new
    /// run, which hands its result to the [`Landing`].
    pub(crate) fn join(&self, max_age: Duration, start: impl FnOnce(Landing<T>)) -> Boarded<T> {
        let mut current = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let usable = current.as_ref().filter(|run| match &*run.borrow() {
            Some((_, made)) => made.elapsed() < max_age,
            // A run that ended without a result has dropped its end.
            None => run.has_changed().is_ok(),
        });
        if let Some(run) = usable {
            return Boarded(run.clone());
        }
        let (landing, run) = watch::channel(None);
        *current = Some(run.clone());
        drop(current);
        start(Landing(landing));
        Boarded(run)
    }

    /// Returns the last result, however old, if no newer run is in progress.
    pub(crate) fn last(&self) -> Option<T> {
        let current = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        current.as_ref().and_then(|run| run.borrow().as_ref().map(|(result, _)| result.clone()))
    }
}

/// Where a run leaves its result.
pub(crate) struct Landing<T>(watch::Sender<Option<(T, Instant)>>);

impl<T> Landing<T> {
    pub(crate) fn land(self, result: T) {
        // Nobody may be waiting any more.
        let _ = self.0.send(Some((result, Instant::now())));
    }
}

/// A place in a run.
pub(crate) struct Boarded<T>(Run<T>);

impl<T: Clone> Boarded<T> {
    /// Waits for the result: `None` if the run was dropped without one.
    pub(crate) async fn landed(mut self) -> Option<T> {
        let landed = self.0.wait_for(Option::is_some).await.ok()?;
        landed.as_ref().map(|(result, _)| result.clone())
    }
}
