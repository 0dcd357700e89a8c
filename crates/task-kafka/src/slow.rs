//! Calls of the user's code that take longer than a limit: named in the log and in the status.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::{Mutex, MutexGuard, PoisonError},
    task::Poll,
    time::{Duration, Instant},
};

use tokio::{select, time::sleep};

/// The slow calls of one task: those of its transform and its sink that have taken longer than the
/// limit, and have not returned.
#[derive(Debug, Default)]
pub(crate) struct SlowCalls {
    limit: Duration,
    calls: Mutex<Vec<Call>>,
}

#[derive(Debug)]
struct Call {
    what: String,
    since: Instant,
}

impl SlowCalls {
    pub(crate) fn new(limit: Duration) -> Self {
        Self { limit, calls: Mutex::default() }
    }

    /// Waits for `call`, and names it if it takes longer than the limit.
    ///
    /// # Cancel safety
    ///
    /// As cancel safe as `call`.
    pub(crate) async fn watch<C: Future>(
        &self,
        what: impl FnOnce() -> String,
        call: C,
    ) -> C::Output {
        let mut call = pin!(call);
        // Many return at once, and need no timer.
        if let Poll::Ready(output) = poll_fn(|cx| Poll::Ready(call.as_mut().poll(cx))).await {
            return output;
        }
        let since = Instant::now();
        select! {
            biased;
            output = &mut call => return output,
            () = sleep(self.limit) => {}
        }
        let what = what();
        tracing::warn!(call = what, limit = ?self.limit, "a call takes long");
        self.lock().push(Call { what, since });
        let _listed = Listed { calls: self, since };
        call.await
    }

    /// Returns the number of slow calls.
    pub(crate) fn count(&self) -> usize {
        self.lock().len()
    }

    /// Describes the oldest slow call, if there is one.
    pub(crate) fn oldest(&self) -> Option<String> {
        let calls = self.lock();
        let Call { what, since } = calls.iter().min_by_key(|call| call.since)?;
        Some(match calls.len() - 1 {
            0 => format!("{what} for {} s", since.elapsed().as_secs()),
            others => format!("{what} for {} s, and {others} more", since.elapsed().as_secs()),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Call>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call that is listed until this is dropped.
struct Listed<'a> {
    calls: &'a SlowCalls,
    since: Instant,
}

impl Drop for Listed<'_> {
    fn drop(&mut self) {
        let mut calls = self.calls.lock();
        if let Some(index) = calls.iter().position(|call| call.since == self.since) {
            let Call { what, since } = calls.swap_remove(index);
            drop(calls);
            tracing::info!(call = what, took = ?since.elapsed(), "a slow call has ended");
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::future::{pending, ready};

    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn a_call_that_takes_long_is_listed_until_it_ends() {
        let slow = SlowCalls::new(Duration::from_millis(5));
        slow.watch(|| panic!("it does not take long"), ready(())).await;
        let call = slow.watch(|| String::from("writing"), pending::<()>());
        let mut call = Box::pin(call);
        while slow.count() == 0 {
            assert!(timeout(Duration::from_millis(5), &mut call).await.is_err());
        }
        assert_eq!(slow.oldest().unwrap(), "writing for 0 s");
        drop(call);
        assert_eq!((slow.count(), slow.oldest()), (0, None));
    }
}
