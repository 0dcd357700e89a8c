//! The times of a lease.

use std::time::Duration;

use crate::error::{Kind, LeaderError};

/// The times of a lease: how long it is valid, when a leader that cannot renew it stops, and how
/// often it is renewed. Default: 15 s, 10 s and 2 s.
///
/// All of them count from the instant before the last successful renewal was sent:
///
/// | instant | default | what happens |
/// |---|---|---|
/// | `retry` | 2 s | the lease is renewed |
/// | `deadline` | 10 s | without a renewal the term is lost: the inner task is asked to end |
/// | `lease` - 1 s | 14 s | the inner task is dropped |
/// | `lease` - 500 ms | 14.5 s | the process is ended if anything of the term is still alive |
/// | `lease` | 15 s | another replica may lead |
///
/// One attempt to reach the lock takes at most `retry`, or half of `deadline` if that is shorter.
///
/// The second before the end of the lease is for the final line of a process that is ended, and for
/// clocks that do not run equally fast: with the defaults, the leader's may be slower by 3 %.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use task_leader::Times;
///
/// let secs = Duration::from_secs;
/// let times = Times::new(secs(30), secs(20), secs(5))?;
/// assert_eq!(times.stop_budget(), secs(9)); // for the inner task, after a loss
/// assert!(Times::new(secs(15), secs(15), secs(2)).is_err());
/// # Ok::<_, task_leader::LeaderError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    lease: Duration,
    deadline: Duration,
    retry: Duration,
}

impl Times {
    /// From the drop of the inner task to the end of the lease.
    pub(crate) const MARGIN: Duration = Duration::from_secs(1);
    /// From the end of the process to the end of the lease: the final line of a fuse and the exit
    /// handlers take 450 ms.
    pub(crate) const EXIT_TIME: Duration = Duration::from_millis(500);

    const LEAST_RETRY: Duration = Duration::from_millis(10);
    const LONGEST_LEASE: Duration = Duration::from_secs(24 * 3600);

    /// Creates the times of a lease.
    ///
    /// # Errors
    ///
    /// Fails if `retry` is below 10 ms, if `deadline` is below two retries, so that one failed
    /// attempt would be a loss, if `lease` is not longer than `deadline` by 1 s at least, or if it
    /// is longer than a day.
    pub fn new(lease: Duration, deadline: Duration, retry: Duration) -> Result<Self, LeaderError> {
        if retry < Self::LEAST_RETRY {
            return Err(Kind::Retry(retry).into());
        }
        if deadline < retry.saturating_mul(2) {
            return Err(Kind::Deadline { deadline, retry }.into());
        }
        if lease < deadline.saturating_add(Self::MARGIN) || lease > Self::LONGEST_LEASE {
            return Err(Kind::Lease { lease, deadline }.into());
        }
        Ok(Self { lease, deadline, retry })
    }

    /// Returns how long a lease is valid.
    pub fn lease(self) -> Duration {
        self.lease
    }

    /// Returns how long a leader goes on without a renewal.
    pub fn deadline(self) -> Duration {
        self.deadline
    }

    /// Returns the time from one renewal to the next.
    pub fn retry(self) -> Duration {
        self.retry
    }

    /// Returns how long the inner task may take to end after a loss, or after it was asked to step
    /// down: what the lease leaves after the deadline, less 1 s.
    pub fn stop_budget(self) -> Duration {
        self.lease.saturating_sub(self.deadline + Self::MARGIN)
    }

    /// Returns how long one attempt to reach the lock may take.
    pub(crate) fn attempt(self) -> Duration {
        self.retry.min(self.deadline / 2)
    }
}

impl Default for Times {
    fn default() -> Self {
        let secs = Duration::from_secs;
        Self { lease: secs(15), deadline: secs(10), retry: secs(2) }
    }
}
