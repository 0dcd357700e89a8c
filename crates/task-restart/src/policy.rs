//! When the next run begins, and whether there is one: pure arithmetic of failures and time.

use std::{collections::VecDeque, time::Duration};

use task_core::Backoff;

use crate::{FailureLimit, TooManyFailures};

/// The failures so far, and what follows from them. Instants are times since the task began.
pub(crate) struct Policy {
    backoff: Backoff,
    limit: FailureLimit,
    stable_after: Duration,
    in_a_row: u32,
    /// The survived failures of the window, with the beginning of their texts.
    window: VecDeque<(Duration, String)>,
}

impl Policy {
    pub(crate) fn new(backoff: Backoff, limit: FailureLimit, stable_after: Duration) -> Self {
        Self { backoff, limit, stable_after, in_a_row: 0, window: VecDeque::new() }
    }

    /// Judges a run that failed at `now`, after it `ran` for some time. Returns the wait until the
    /// next run.
    ///
    /// # Errors
    ///
    /// If the failure is one too many.
    pub(crate) fn failed(
        &mut self,
        now: Duration,
        ran: Duration,
        text: &str,
        random: u64,
    ) -> Result<Duration, TooManyFailures> {
        // Up long enough to be well. Readiness alone would not do: a run that says that it is ready
        // and fails a moment later would be run again after the shortest wait for ever.
        if ran >= self.stable_after {
            self.in_a_row = 0;
        }
        self.in_a_row = self.in_a_row.saturating_add(1);
        self.survive(now, text)?;
        Ok(self.backoff.wait(self.in_a_row, random))
    }

    /// Judges a run that completed and is to be run again: it waits all the same, or a task that
    /// completes at once would spin.
    pub(crate) fn completed(&mut self, random: u64) -> Duration {
        self.in_a_row = 0;
        self.backoff.wait(1, random)
    }

    /// Returns how many runs in a row have failed.
    pub(crate) fn in_a_row(&self) -> u32 {
        self.in_a_row
    }

    fn survive(&mut self, now: Duration, text: &str) -> Result<(), TooManyFailures> {
        if self.limit == FailureLimit::NONE {
            return Ok(());
        }
        let within = self.limit.within();
        let mut spare = String::new();
        while self.window.front().is_some_and(|(at, _)| now.saturating_sub(*at) >= within) {
            spare = self.window.pop_front().map(|(_, text)| text).unwrap_or_default();
        }
        if self.window.len() >= self.limit.most()
            && let Some((at, first)) = self.window.front()
        {
            let (failures, took) = (self.window.len() + 1, now.saturating_sub(*at));
            return Err(TooManyFailures::new(failures, took, first.clone()));
        }
        // A text that has left the window lends its memory.
        spare.clear();
        spare.push_str(text);
        self.window.push_back((now, spare));
        Ok(())
    }
}

#[cfg(all(test, not(task_shuttle)))]
mod tests;
