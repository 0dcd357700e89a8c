//! The arithmetic of failures and time, for any of them.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use proptest::prelude::*;
use task_core::Backoff;

use super::Policy;
use crate::FailureLimit;

const STABLE: Duration = Duration::from_secs(60);

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// The lengths of runs, in milliseconds, mostly near where something changes.
fn runs() -> impl Strategy<Value = Vec<(u64, u64)>> {
    let length = prop_oneof![0..100_u64, 59_000..61_000_u64, 0..200_000_u64];
    prop::collection::vec((length, any::<u64>()), 1..200)
}

proptest! {
    #[test]
    fn in_any_window_at_most_the_limit_is_survived_and_the_next_failure_ends_it(
        runs in runs(), most in 1..20_usize, within in 1..2_000_u64,
    ) {
        let limit = FailureLimit::new(most, secs(within)).unwrap();
        let mut policy = Policy::new(Backoff::default(), limit, STABLE);
        let (mut now, mut survived) = (Duration::ZERO, Vec::<Duration>::new());
        for (index, (ran, random)) in runs.into_iter().enumerate() {
            let ran = Duration::from_millis(ran);
            now += ran;
            let recent = survived.iter().filter(|at| now - **at < secs(within)).count();
            match policy.failed(now, ran, &format!("failure {index}"), random) {
                Ok(wait) => {
                    prop_assert!(recent < most);
                    survived.push(now);
                    now += wait;
                }
                Err(too_many) => {
                    prop_assert_eq!(recent, most);
                    prop_assert_eq!(too_many.failures(), most + 1);
                    let first = survived.len() - most;
                    prop_assert_eq!(too_many.within(), now - survived[first]);
                    prop_assert_eq!(too_many.first(), format!("failure {first}"));
                    return Ok(());
                }
            }
        }
    }

    #[test]
    fn waits_grow_up_to_the_longest_until_a_run_is_stable(
        runs in runs(), first in 1..5_000_u64, factor in 1..100_u64,
    ) {
        let longest = Duration::from_millis(first * factor);
        let backoff = Backoff::new(Duration::from_millis(first), longest).unwrap();
        let mut policy = Policy::new(backoff, FailureLimit::NONE, STABLE);
        let mut in_a_row = 0;
        for (ran, random) in runs {
            let ran = Duration::from_millis(ran);
            in_a_row = if ran >= STABLE { 1 } else { in_a_row + 1 };
            let wait = policy.failed(Duration::ZERO, ran, "", random).unwrap();
            prop_assert_eq!(wait, backoff.wait(in_a_row, random));
            prop_assert_eq!(policy.in_a_row(), in_a_row);
            prop_assert!(policy.window.is_empty(), "without a limit nothing is kept");
        }
    }
}

#[test]
fn a_failure_leaves_the_window_at_its_very_end() {
    let policy = |second: Duration| {
        let limit = FailureLimit::new(1, secs(10)).unwrap();
        let mut policy = Policy::new(Backoff::default(), limit, STABLE);
        policy.failed(secs(5), secs(5), "one", 0).unwrap();
        policy.failed(second, secs(1), "two", 0).is_ok()
    };
    assert!(!policy(secs(15) - Duration::from_nanos(1)));
    assert!(policy(secs(15)));
}

#[test]
fn a_run_that_completed_is_followed_by_the_first_wait_and_starts_the_back_off_over() {
    let mut policy = Policy::new(Backoff::default(), FailureLimit::NONE, STABLE);
    for _ in 0..5 {
        policy.failed(secs(0), secs(0), "", 0).unwrap();
    }
    assert_eq!(policy.completed(0), secs(1));
    assert_eq!(policy.failed(secs(0), secs(0), "", 0).unwrap(), secs(1));
}
