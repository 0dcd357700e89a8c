//! The back-off.

use std::time::Duration;

use task_core::Backoff;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn every_wait_is_between_half_and_all_of_a_doubling_first_wait() {
    for (first, longest) in [(1, 1), (1, 60), (3, 100), (7, 3_162_240_000_u32)] {
        let backoff = Backoff::new(first * SECOND, longest * SECOND).unwrap();
        let mut last = Duration::ZERO;
        for in_a_row in 0..200 {
            let whole = backoff.wait(in_a_row, 0);
            let doubled = backoff.first().saturating_mul(1 << in_a_row.saturating_sub(1).min(31));
            assert_eq!(whole, doubled.min(backoff.longest()));
            assert!(whole >= last, "{in_a_row}");
            last = whole;
            for random in [1, u64::MAX / 3, u64::MAX / 2, u64::MAX - 1, u64::MAX] {
                let wait = backoff.wait(in_a_row, random);
                assert!(whole / 2 <= wait && wait <= whole, "{in_a_row} {random} {wait:?}");
            }
            assert_eq!(backoff.wait(in_a_row, u64::MAX), whole - whole / 2);
        }
        assert_eq!(last, backoff.longest());
    }
}

#[test]
fn a_wait_is_never_zero_even_of_the_shortest_back_off() {
    let backoff = Backoff::new(Duration::from_nanos(1), Duration::from_nanos(3)).unwrap();
    for in_a_row in 0..5 {
        assert!(backoff.wait(in_a_row, u64::MAX) > Duration::ZERO);
    }
}

#[test]
fn a_back_off_that_is_zero_inverted_or_endless_is_an_error() {
    let refused = |first, longest| Backoff::new(first, longest).unwrap_err().to_string();
    assert_eq!(refused(Duration::ZERO, SECOND), "first back-off is zero");
    let text = "first back-off of 2s is longer than the longest, 1s";
    assert_eq!(refused(2 * SECOND, SECOND), text);
    let long = Duration::from_secs(u64::MAX);
    assert!(refused(SECOND, long).ends_with("is longer than 100 years"));
}
