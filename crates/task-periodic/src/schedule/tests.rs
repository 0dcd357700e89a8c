//! The arithmetic at the ends of its range, where no clock gets, and against a walk from tick to
//! tick.

use std::time::Duration;

use proptest::prelude::*;

use super::{Ended, Next, Periodical, Spaced, Timetable};
use crate::{FirstRun, MissedTicks};

const LONGEST: u64 = 100 * 366 * 24 * 3600;

/// Any time, and often one at an end.
fn any_time() -> impl Strategy<Value = Duration> {
    prop_oneof![
        Just(Duration::ZERO),
        Just(Duration::MAX),
        (any::<u64>(), 0..1_000_000_000_u32).prop_map(|(secs, nanos)| Duration::new(secs, nanos)),
        (0..1000_u64).prop_map(Duration::from_nanos),
        (0..1000_u64).prop_map(|nanos| Duration::MAX - Duration::from_nanos(nanos)),
    ]
}

fn any_period() -> impl Strategy<Value = Duration> {
    prop_oneof![
        (1..1000_u64).prop_map(Duration::from_nanos),
        (1..=LONGEST).prop_map(Duration::from_secs),
        Just(Duration::from_secs(LONGEST)),
    ]
}

fn any_policy() -> impl Strategy<Value = MissedTicks> {
    prop_oneof![Just(MissedTicks::Skip), Just(MissedTicks::Delay), Just(MissedTicks::Burst)]
}

fn periodical(period: Duration, missed_ticks: MissedTicks) -> Periodical {
    let mut schedule = Periodical::new(period);
    schedule.missed_ticks = missed_ticks;
    schedule
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_overflows_and_ticks_only_go_forward(
        period in any_period(),
        policy in any_policy(),
        now in any_time(),
        wait in any_time(),
        ends in prop::collection::vec((any_time(), any_time(), any_time()), 1..10),
    ) {
        let mut schedule = periodical(period, policy);
        let mut last = schedule.first(FirstRun::After(wait), now);
        prop_assert_eq!(last, now.checked_add(wait));
        for (at, backoff, slack) in ends {
            // No run ends before it has begun.
            let Some(begun) = last else { break };
            let at = at.max(begun);
            let not_before = at.saturating_add(backoff);
            last = schedule.next(Ended { at, not_before, slack: slack.min(period) }).tick;
            prop_assert!(last.is_none_or(|tick| tick > begun), "{last:?} after {begun:?}");
        }
    }

    #[test]
    fn a_delay_does_not_overflow(delay in any_time(), at in any_time()) {
        let mut schedule = Spaced::new(delay);
        let next = schedule.next(Ended { at, not_before: at, slack: Duration::ZERO });
        prop_assert_eq!(next, Next { tick: at.checked_add(delay), dropped: 0 });
    }

    #[test]
    fn a_skip_is_a_walk_over_ticks(
        period in 1..50_u64,
        end in 0..2000_u64,
        backoff in 0..200_u64,
        slack in 0..50_u64,
    ) {
        let slack = slack.min(period);
        let nanos = Duration::from_nanos;
        let mut schedule = periodical(nanos(period), MissedTicks::Skip);
        schedule.first(FirstRun::Immediately, Duration::ZERO);
        let next = schedule.next(Ended {
            at: nanos(end),
            not_before: nanos(end + backoff),
            slack: nanos(slack),
        });

        let ticks = || (1..).map(|n| n * period);
        let tick = ticks().find(|tick| tick + slack >= end + backoff).expect("ticks never end");
        let dropped = ticks().take_while(|tick| tick + slack < end).count();
        prop_assert_eq!(next, Next { tick: Some(nanos(tick)), dropped: dropped as u64 });
    }

    #[test]
    fn a_delay_drops_all_missed_ticks_but_one(
        period in 1..50_u64,
        end in 0..2000_u64,
        backoff in 0..200_u64,
    ) {
        let nanos = Duration::from_nanos;
        let ended = |at, not_before| Ended {
            at: nanos(at),
            not_before: nanos(not_before),
            slack: Duration::ZERO,
        };
        let mut schedule = periodical(nanos(period), MissedTicks::Delay);
        schedule.first(FirstRun::Immediately, Duration::ZERO);
        let not_before = end + backoff;
        let next = schedule.next(ended(end, not_before));

        let missed = (1..).map(|n| n * period).take_while(|tick| *tick < end).count() as u64;
        let tick = if period < not_before { not_before } else { period };
        prop_assert_eq!(next.tick, Some(nanos(tick)));
        prop_assert_eq!(next.dropped, missed.saturating_sub(1));
        // However long the run took, the period restarts from it.
        let again = schedule.next(ended(not_before, not_before));
        prop_assert_eq!(again.tick, Some(nanos(tick + period)));
    }
}
