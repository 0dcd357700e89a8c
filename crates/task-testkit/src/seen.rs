//! One life of a task in a sweep, and what went wrong in it.

use std::{future::poll_fn, pin::pin, task::Poll, time::Duration};

use task_core::{Outcome, scope::catch};
use tokio::time::timeout;

use crate::{
    driven::{Observed, RanOut},
    ended::Ended,
    sweep::Finding,
    text::seconds,
};

/// How many polls a task has until it is stopped, and again until it has ended.
pub(crate) const MOST_POLLS: usize = 100_000;
/// How long a check of a world may take, on the paused clock.
const CHECK_LIMIT: Duration = Duration::from_secs(3600);

/// Polls a check to its end, and returns what it panicked with.
pub(crate) async fn checked(check: impl Future<Output = ()>) -> Option<String> {
    let mut check = pin!(check);
    let checking = poll_fn(|cx| match catch(|| check.as_mut().poll(cx)) {
        Ok(Poll::Ready(())) => Poll::Ready(None),
        Ok(Poll::Pending) => Poll::Pending,
        Err(panic) => Poll::Ready(Some(panic.to_string())),
    });
    let hangs = || format!("the check did not end within {}", seconds(CHECK_LIMIT));
    timeout(CHECK_LIMIT, checking).await.unwrap_or_else(|_| Some(hangs()))
}

/// One life of the task.
pub(crate) struct Seen {
    pub(crate) observed: Observed,
    pub(crate) ended: Ended,
    pub(crate) is_dropped: bool,
    pub(crate) left: usize,
    pub(crate) late_use: Option<String>,
    pub(crate) failed: Option<String>,
    pub(crate) limit: Duration,
    pub(crate) blocks_for_at_most: Duration,
}

impl Seen {
    pub(crate) fn is_blocking(&self) -> bool {
        self.observed.slowest_poll.max(self.observed.drop_took) > self.blocks_for_at_most
    }

    /// What went wrong in this life.
    pub(crate) fn findings(self, point: Option<usize>) -> Vec<Finding> {
        let mut whats = Vec::new();
        whats.extend(self.end());
        let millis = |took: Duration| took.as_millis();
        if self.observed.slowest_poll > self.blocks_for_at_most {
            let took = millis(self.observed.slowest_poll);
            whats.push(format!("a poll blocked its thread for {took} ms"));
        }
        if self.observed.drop_took > self.blocks_for_at_most {
            let took = millis(self.observed.drop_took);
            whats.push(format!("the drop of its future blocked its thread for {took} ms"));
        }
        if self.left > 0 {
            whats.push(format!("spawned tasks that it left behind: {}", self.left));
        }
        if let Some(late_use) = &self.late_use {
            whats.push(format!("its context was used after its end: {late_use}"));
        }
        whats.extend(self.failed.as_ref().map(|failed| format!("the check failed: {failed}")));
        let (at, status) = self.observed.injected.unwrap_or_else(|| {
            let took = self.ended.stop_took.unwrap_or_default();
            (self.ended.at.saturating_sub(took), None)
        });
        let finding = |what| Finding { point, at, status: status.clone(), what };
        whats.into_iter().map(finding).collect()
    }

    /// What is wrong with how it ended.
    fn end(&self) -> Option<String> {
        let Ended { outcome, error, .. } = &self.ended;
        match self.observed.ran_out {
            Some(RanOut::Time) => {
                let woken =
                    if self.observed.polled_after_stop { "" } else { ", which did not wake it" };
                return Some(format!("alive {} after the stop{woken}", seconds(self.limit)));
            }
            Some(RanOut::Polls) => {
                return Some(format!("alive {MOST_POLLS} polls after the stop"));
            }
            None => {}
        }
        let error = error.as_ref().map_or_else(String::new, |error| format!(": {error:#}"));
        match outcome {
            Outcome::Aborted if self.is_dropped => None,
            Outcome::Abandoned => Some(String::from("it ended, and a hold of it did not")),
            outcome if outcome.is_clean() => None,
            outcome => Some(format!("{outcome}{error}")),
        }
    }
}
