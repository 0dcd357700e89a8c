//! The formula of the deadlines, in its own words.

use std::time::Duration;

use proptest::prelude::*;
use task_core::Phase;

use super::{Budgets, Plan, Tick};
use crate::Timeout;

fn millis(range: std::ops::Range<u64>) -> impl Strategy<Value = Duration> {
    range.prop_map(Duration::from_millis)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_ith_of_n_phases_is_over_by_stop_end_less_n_minus_i_slices(
        now in millis(0..100_000),
        drain in millis(0..15_000),
        cleanup in millis(0..10_000),
        stop in millis(100..40_000),
        drains in any::<bool>(),
        phases in proptest::collection::btree_set(any::<u8>(), 0..9),
    ) {
        let total = drain + cleanup + stop;
        let budgets =
            Budgets { total: Timeout::After(total), drain, cleanup, short_cleanup: cleanup };
        let alive: Vec<Phase> = phases.into_iter().map(Phase::new).collect();
        let plan = Plan::new(now, &budgets, None, drains, alive.iter().copied());
        prop_assert_eq!(plan.end, Some(now + total));
        prop_assert_eq!(plan.drain_end, if drains { now + drain } else { now });
        let count = u32::try_from(alive.len()).unwrap_or(u32::MAX);
        for (index, phase) in (1..).zip(&alive) {
            let slice = Duration::from_secs(1).min(stop / (2 * count));
            let over_by = now + drain + stop - slice * (count - index);
            prop_assert_eq!(plan.deadline(*phase), Some(over_by - plan.join));
            prop_assert!(plan.join <= slice / 2);
            prop_assert!(plan.deadline(*phase) >= Some(plan.drain_end), "no time at all");
        }
        prop_assert!(plan.join <= Duration::from_millis(250));
    }

    /// However many phases come up during the drain, the first of them still has half of the time.
    #[test]
    fn phases_that_are_added_move_deadlines_earlier_and_never_into_the_first_half_of_the_time(
        drain in millis(0..15_000),
        stop in millis(100..40_000),
        first in proptest::collection::btree_set(any::<u8>(), 0..5),
        added in proptest::collection::vec((any::<u8>(), millis(0..60_000)), 0..60),
        stopped in proptest::option::of(any::<u8>()),
    ) {
        let budgets = Budgets {
            total: Timeout::After(drain + stop),
            drain,
            cleanup: Duration::ZERO,
            short_cleanup: Duration::ZERO,
        };
        let alive: Vec<Phase> = first.into_iter().map(Phase::new).collect();
        let mut plan = Plan::new(Tick::ZERO, &budgets, None, true, alive.iter().copied());
        let half = drain + stop - stop / 2;
        for (phase, now) in added {
            let before = plan.phases.clone();
            plan.add_phase(Phase::new(phase), now, stopped.map(Phase::new));
            let deadlines: Vec<Tick> = plan.phases.iter().filter_map(|(_, at)| *at).collect();
            prop_assert_eq!(deadlines.len(), plan.phases.len());
            prop_assert!(deadlines.is_sorted(), "a later phase never has less time");
            for (phase, deadline) in before {
                prop_assert!(plan.deadline(phase) <= deadline, "never later");
            }
            let join = Duration::from_millis(250).min(stop / 4);
            prop_assert!(deadlines.iter().all(|at| *at + join >= half));
        }
    }

    #[test]
    fn somebody_elses_limit_counts_if_it_is_smaller_and_never_if_it_is_larger(
        total in prop_oneof![Just(None), millis(20_000..40_000).prop_map(Some)],
        limit in millis(0..60_000),
    ) {
        let budgets = Budgets {
            total: total.map_or(Timeout::Never, Timeout::After),
            drain: Duration::from_secs(5),
            cleanup: Duration::from_secs(5),
            short_cleanup: Duration::from_secs(1),
        };
        let phases = [Phase::WORK].into_iter();
        let plan = Plan::new(Tick::ZERO, &budgets, Some(limit), true, phases);
        let end = total.map_or(limit, |total| total.min(limit));
        prop_assert_eq!(plan.end, Some(end));
        prop_assert!(plan.drain_end + plan.cleanup <= end, "something is left for the tasks");
        prop_assert!(plan.deadline(Phase::WORK) <= Some(end.saturating_sub(plan.cleanup)));
    }
}

#[test]
fn a_limit_that_comes_later_leaves_cleanups_at_most_a_quarter_and_never_adds_time() {
    let second = Duration::from_secs(1);
    let budgets = Budgets {
        total: Timeout::After(40 * second),
        drain: Duration::ZERO,
        cleanup: 5 * second,
        short_cleanup: second,
    };
    let mut plan = Plan::new(Tick::ZERO, &budgets, None, true, [Phase::WORK].into_iter());
    plan.tighten(10 * second, 60 * second, false);
    assert_eq!((plan.end, plan.cleanup), (Some(40 * second), 5 * second));
    plan.tighten(10 * second, 8 * second, false);
    assert_eq!((plan.end, plan.cleanup), (Some(18 * second), 2 * second));
    assert_eq!(plan.deadline(Phase::WORK), Some(16 * second - plan.join));
}
