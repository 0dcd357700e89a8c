//! The formula of the deadlines in its own words, and what is true of any plan (Invariant 3).

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;
use task_core::{Phase, Timeout};

use super::{Budgets, Plan, Tick};

fn millis(range: std::ops::Range<u64>) -> impl Strategy<Value = Duration> {
    range.prop_map(Duration::from_millis)
}

fn phases(most: usize) -> impl Strategy<Value = BTreeSet<Phase>> {
    proptest::collection::btree_set(any::<u8>().prop_map(Phase::new), 0..most)
}

fn every_phase() -> impl Iterator<Item = Phase> {
    (0..=u8::MAX).map(Phase::new)
}

/// What may happen to a plan.
#[derive(Clone, Debug)]
enum Change {
    Tighten(Duration),
    EndDrain,
    /// The lowest phase above the stopped one is stopped.
    Stop,
    Escalate,
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        2 => millis(0..40_000).prop_map(Change::Tighten),
        1 => Just(Change::EndDrain),
        3 => Just(Change::Stop),
        1 => Just(Change::Escalate),
    ]
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
        planned in phases(9),
    ) {
        let total = drain + cleanup + stop;
        let budgets =
            Budgets { total: Timeout::After(total), drain, cleanup, escalated_cleanup: cleanup };
        let plan = Plan::new(now, &budgets, None, drains, planned.iter().copied());
        prop_assert_eq!(plan.end, Some(now + total));
        prop_assert_eq!(plan.drain_end, if drains { now + drain } else { now });
        // A drain that is skipped leaves its time to the tasks.
        let stop = if drains { stop } else { drain + stop };
        let count = u32::try_from(planned.len()).unwrap_or(u32::MAX);
        for (index, phase) in (1..).zip(&planned) {
            let slice = Duration::from_secs(1).min(stop / (2 * count));
            let over_by = plan.drain_end + stop - slice * (count - index);
            prop_assert_eq!(plan.deadline(*phase), Some(over_by - plan.join));
            prop_assert!(plan.join <= slice / 2);
            prop_assert!(plan.deadline(*phase) >= Some(plan.drain_end + stop / 4), "half of half");
        }
        prop_assert!(plan.join <= Duration::from_millis(250));
    }

    #[test]
    fn a_phase_that_is_not_planned_takes_no_time_reserved_for_the_next_one(
        drain in millis(0..15_000),
        stop in millis(100..40_000),
        planned in phases(9),
    ) {
        let cleanup = Duration::from_secs(1);
        let total = Timeout::After(drain + stop + cleanup);
        let budgets = Budgets { total, drain, cleanup, escalated_cleanup: cleanup };
        let plan = Plan::new(Tick::ZERO, &budgets, None, true, planned.iter().copied());
        let count = u32::try_from(planned.len()).unwrap_or(u32::MAX).max(1);
        let slice = Duration::from_secs(1).min(stop / (2 * count));
        for phase in every_phase() {
            let (before, next) =
                (planned.range(..phase).next_back(), planned.range(phase..).next());
            let expected = match (before, next) {
                (_, Some(next)) if *next == phase => continue,
                (Some(before), Some(_)) => plan.deadline(*before),
                (None, Some(next)) => plan.deadline(*next).map(|deadline| deadline - slice),
                (_, None) => Some(drain + stop - plan.join),
            };
            prop_assert_eq!(plan.deadline(phase), expected);
        }
    }

    /// Invariant 3, of every phase there can be, planned or not.
    #[test]
    fn no_instant_of_a_plan_ever_moves_later_and_no_later_phase_has_less_time(
        (drain, cleanup, stop) in (millis(0..15_000), millis(0..10_000), millis(100..40_000)),
        is_limited in any::<bool>(),
        with_outer in any::<bool>(),
        planned in phases(5),
        changes in proptest::collection::vec((change(), millis(0..8_000), phases(5)), 0..20),
    ) {
        let own = is_limited.then_some(drain + cleanup + stop);
        let total = own.map_or(Timeout::Never, Timeout::After);
        let budgets = Budgets { total, drain, cleanup, escalated_cleanup: cleanup / 2 };
        let mut plan = if with_outer {
            Plan::with_outer(Tick::ZERO, &budgets)
        } else {
            Plan::new(Tick::ZERO, &budgets, None, true, planned.iter().copied())
        };
        let mut now = Tick::ZERO;
        for (change, time, alive) in changes {
            now += time;
            let before: Vec<_> = every_phase().map(|phase| plan.deadline(phase)).collect();
            let (end, drain_end, join) = (plan.end, plan.drain_end, plan.join);
            // A closed phase has no tasks.
            let stopped = plan.stopped();
            let alive: Vec<_> = alive.into_iter().filter(|phase| Some(*phase) > stopped).collect();
            match change {
                Change::Tighten(limit) if plan.drains_with_outer => {
                    // The limit of the outer group comes with its stop.
                    plan.end_drain(now, own, alive.iter().copied());
                    plan.tighten(now, limit, alive.iter().copied());
                }
                Change::Tighten(limit) => plan.tighten(now, limit, alive.iter().copied()),
                Change::EndDrain => plan.end_drain(now, own, alive.iter().copied()),
                Change::Stop => match alive.first() {
                    Some(phase) => plan.stop(*phase, now),
                    None => continue,
                },
                Change::Escalate => plan.escalate(budgets.escalated_cleanup),
            }
            prop_assert!(plan.drain_end <= drain_end && plan.join <= join);
            prop_assert!(plan.end.unwrap_or(Tick::MAX) <= end.unwrap_or(Tick::MAX));
            let is_limited = plan.deadline(Phase::new(u8::MAX)).is_some();
            prop_assert!(is_limited || plan.end.is_none(), "a limit without deadlines");
            for (phase, before) in every_phase().zip(before) {
                let after = plan.deadline(phase).unwrap_or(Tick::MAX);
                prop_assert!(after <= before.unwrap_or(Tick::MAX), "{:?} moved later", phase);
            }
            let open = every_phase().filter(|phase| Some(*phase) >= plan.stopped());
            prop_assert!(open.is_sorted_by_key(|phase| plan.deadline(phase).unwrap_or(Tick::MAX)));
        }
    }

    #[test]
    fn a_later_limit_leaves_every_phase_an_equal_part_or_what_it_had(
        (drain, cleanup, stop) in (millis(0..15_000), millis(0..10_000), millis(100..40_000)),
        planned in phases(9),
        now in millis(0..20_000),
        limit in millis(0..40_000),
    ) {
        let total = Timeout::After(drain + cleanup + stop);
        let budgets = Budgets { total, drain, cleanup, escalated_cleanup: cleanup };
        let mut plan = Plan::new(Tick::ZERO, &budgets, None, true, planned.iter().copied());
        let before: Vec<_> = planned.iter().map(|phase| plan.deadline(*phase)).collect();
        plan.end_drain(now, None, planned.iter().copied());
        plan.tighten(now, limit, planned.iter().copied());
        let last = plan.deadline(Phase::new(u8::MAX)).expect("a limit");
        let count = u32::try_from(planned.len()).unwrap_or(u32::MAX).max(1);
        let least = now + last.saturating_sub(now) / count;
        for (phase, before) in planned.iter().zip(before) {
            prop_assert!(plan.deadline(*phase) >= before.min(Some(least)).min(Some(last)));
        }
    }

    #[test]
    fn the_limit_of_the_outer_group_counts_if_it_is_smaller_and_never_if_it_is_larger(
        total in prop_oneof![Just(None), millis(20_000..40_000).prop_map(Some)],
        limit in millis(0..60_000),
    ) {
        let budgets = Budgets {
            total: total.map_or(Timeout::Never, Timeout::After),
            drain: Duration::from_secs(5),
            cleanup: Duration::from_secs(5),
            escalated_cleanup: Duration::from_secs(1),
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
fn a_later_limit_leaves_drain_and_cleanups_a_quarter_each_and_adds_no_time() {
    let second = Duration::from_secs(1);
    let budgets = Budgets {
        total: Timeout::After(40 * second),
        drain: 15 * second,
        cleanup: 5 * second,
        escalated_cleanup: second,
    };
    let mut plan = Plan::new(Tick::ZERO, &budgets, None, true, [Phase::WORK].into_iter());
    plan.tighten(10 * second, 60 * second, [Phase::WORK].into_iter());
    assert_eq!((plan.end, plan.cleanup), (Some(40 * second), 5 * second));
    plan.tighten(10 * second, 8 * second, [Phase::WORK].into_iter());
    assert_eq!((plan.end, plan.cleanup), (Some(18 * second), 2 * second));
    assert_eq!(plan.drain_end, 12 * second);
    assert_eq!(plan.deadline(Phase::WORK), Some(16 * second - plan.join));
}

/// The drain is shorter than planned, so the first layout had reserved little for the later phase.
#[test]
fn a_limit_at_the_end_of_a_long_drain_does_not_abort_the_first_phase_at_once() {
    let millis = Duration::from_millis;
    let budgets = Budgets {
        total: Timeout::After(millis(20_000)),
        drain: millis(15_000),
        cleanup: millis(4_900),
        escalated_cleanup: millis(1_000),
    };
    let phases = || [Phase::WORK, Phase::SUPPORT].into_iter();
    let mut plan = Plan::new(Tick::ZERO, &budgets, None, true, phases());
    plan.end_drain(millis(14_990), None, phases());
    plan.tighten(millis(14_990), millis(5_000), phases());
    assert!(plan.deadline(Phase::WORK) > Some(millis(15_030)), "{plan:?}");
}
