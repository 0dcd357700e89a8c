//! The formula of the deadlines in its own words, and what is true of any plan (Invariant 3).

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;
use task_core::{Phase, Timeout};

use super::{Budgets, Limit, Plan, Present, Tick};

const SECOND: Duration = Duration::from_secs(1);

fn millis(range: std::ops::Range<u64>) -> impl Strategy<Value = Duration> {
    range.prop_map(Duration::from_millis)
}

/// Sets of phases in which the named ones are frequent.
fn phases(most: usize) -> impl Strategy<Value = BTreeSet<Phase>> {
    let named = [Phase::SETUP, Phase::INGRESS, Phase::WORK, Phase::SUPPORT];
    let phase =
        prop_oneof![proptest::sample::select(named.to_vec()), any::<u8>().prop_map(Phase::new)];
    proptest::collection::btree_set(phase, 0..most)
}

fn every_phase() -> impl Iterator<Item = Phase> {
    (0..=u8::MAX).map(Phase::new)
}

fn budgets(total: Duration, drain: Duration, cleanup: Duration) -> Budgets {
    let total = Timeout::After(total);
    Budgets {
        total,
        drain,
        cleanup,
        limits_cleanups: true,
        escalated_cleanup: cleanup / 2,
        phases: Vec::new(),
    }
}

/// Tasks without a stop timeout in these phases, and a cleanup.
fn with_cleanup<'a>(phases: impl IntoIterator<Item = &'a Phase>) -> Present {
    Present { has_cleanups: true, ..without_cleanup(phases) }
}

fn without_cleanup<'a>(phases: impl IntoIterator<Item = &'a Phase>) -> Present {
    let phases = phases.into_iter().map(|phase| (*phase, None)).collect();
    Present { phases, has_cleanups: false }
}

/// Returns how much of the time for tasks is left to a phase when every one before it is abandoned,
/// which is when the one before it is over at the latest.
fn left_by_those_before(plan: &Plan, begin: Tick, phases: &BTreeSet<Phase>, phase: Phase) -> Tick {
    let before = phases.range(..phase).next_back();
    let over_by = |before: &Phase| plan.deadline(*before).expect("a limit") + plan.join(*before);
    plan.deadline(phase).expect("a limit").saturating_sub(before.map_or(begin, over_by))
}

/// What may happen to a plan.
#[derive(Clone, Debug)]
enum Change {
    Tighten(Duration),
    EndDrain,
    /// The lowest phase above the stopped one is stopped, which may have a limit.
    Stop(Option<Duration>),
    Escalate,
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        2 => millis(0..40_000).prop_map(Change::Tighten),
        1 => Just(Change::EndDrain),
        3 => proptest::option::of(millis(0..20_000)).prop_map(Change::Stop),
        1 => Just(Change::Escalate),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// The table in the words of the docs: support has 1 s or a twentieth together, the setup a
    /// tenth, WORK two thirds of the rest, the others what is left of it in equal parts; the first
    /// has what the others leave, and the last is over in time for the cleanups.
    #[test]
    fn each_phase_has_its_part_of_the_time_between_drain_and_cleanups(
        now in millis(0..100_000),
        (drain, cleanup, stop) in (millis(0..15_000), millis(0..10_000), millis(100..40_000)),
        (drains, has_cleanups) in any::<(bool, bool)>(),
        planned in phases(9),
    ) {
        let budgets = budgets(drain + cleanup + stop, drain, cleanup);
        let present = Present { has_cleanups, ..without_cleanup(&planned) };
        let plan = Plan::new(now, &budgets, None, drains, &present);
        prop_assert_eq!(plan.end, Some(now + drain + cleanup + stop));
        prop_assert_eq!(plan.drain_end, if drains { now + drain } else { now });
        // What is skipped, or not needed, is left to the tasks.
        let stop = stop
            + if drains { Duration::ZERO } else { drain }
            + if has_cleanups { Duration::ZERO } else { cleanup };
        prop_assert_eq!(plan.join, Duration::from_millis(250).min(stop / 20));
        let number = |fits: &dyn Fn(Phase) -> bool| {
            u32::try_from(planned.iter().filter(|phase| fits(**phase)).count()).expect("few")
        };
        let support = number(&Phase::is_support);
        let of_support = SECOND.min(stop / (20 * support.max(1)));
        let of_setup = if planned.contains(&Phase::SETUP) { stop / 10 } else { Duration::ZERO };
        let rest = stop - of_support * support - of_setup;
        let named = [Phase::SETUP, Phase::WORK];
        let others = number(&|phase| !phase.is_support() && !named.contains(&phase));
        let has_work = planned.contains(&Phase::WORK);
        let mut over_by = plan.drain_end + stop;
        for (place, phase) in planned.iter().enumerate().rev() {
            prop_assert_eq!(plan.deadline(*phase), Some(over_by - plan.join(*phase)));
            let part = match *phase {
                _first if place == 0 => over_by - plan.drain_end,
                phase if phase.is_support() => of_support,
                Phase::WORK if others == 0 => rest,
                Phase::WORK => rest / 3 * 2,
                _ if has_work => rest / 3 / others,
                _ => rest / others,
            };
            prop_assert_eq!(plan.join(*phase), plan.join.min(part / 2));
            over_by -= part;
        }
    }

    #[test]
    fn with_nothing_to_reserve_for_nine_tenths_of_any_total_go_to_the_work(
        total in millis(100..100_000),
        signals in proptest::option::of(millis(0..1_000)),
    ) {
        let budgets = budgets(total, Duration::ZERO, total / 4);
        let mut present = without_cleanup(&[Phase::WORK]);
        present.phases.extend(signals.map(|timeout| (Phase::SUPPORT, Some(timeout))));
        let plan = Plan::new(Tick::ZERO, &budgets, None, true, &present);
        let work = plan.deadline(Phase::WORK).expect("a limit");
        prop_assert!(work >= total / 10 * 9, "{work:?}");
        // Of a long total, next to nothing is reserved for `signals`.
        let least = total.saturating_sub(Duration::from_millis(500) + signals.unwrap_or_default());
        prop_assert!(work >= least, "{work:?}");
    }

    #[test]
    fn work_keeps_more_than_half_of_the_time_when_every_phase_before_it_hangs(
        stop in millis(100..100_000),
        planned in phases(40),
        has_cleanups in any::<bool>(),
    ) {
        let mut planned = planned;
        planned.insert(Phase::WORK);
        let cleanup = if has_cleanups { SECOND } else { Duration::ZERO };
        let budgets = budgets(stop + cleanup, Duration::ZERO, cleanup);
        let present = Present { has_cleanups, ..without_cleanup(&planned) };
        let plan = Plan::new(Tick::ZERO, &budgets, None, true, &present);
        let work = left_by_those_before(&plan, Tick::ZERO, &planned, Phase::WORK);
        prop_assert!(work > stop / 2, "{work:?}");
        for phase in &planned {
            // None is without time, however many there are.
            let left = left_by_those_before(&plan, Tick::ZERO, &planned, *phase);
            prop_assert!(left >= plan.join(*phase) && !left.is_zero(), "{phase:?}: {left:?}");
        }
    }

    #[test]
    fn a_phase_reserves_no_more_than_its_limit_and_the_others_have_the_rest(
        stop in millis(100..100_000),
        planned in phases(9),
        first in any::<u8>().prop_map(Phase::new),
        limit in millis(0..20_000),
        limited in any::<proptest::sample::Index>(),
    ) {
        let mut planned = planned;
        planned.extend([first, Phase::SUPPORT]);
        prop_assume!(planned.len() > 1);
        let budgets = budgets(stop, Duration::ZERO, Duration::ZERO);
        let mut present = without_cleanup(&planned);
        let without = Plan::new(Tick::ZERO, &budgets, None, true, &present);
        let place = 1 + limited.index(planned.len() - 1);
        let (phase, longest) = &mut present.phases[place];
        *longest = Some(limit);
        let phase = *phase;
        let plan = Plan::new(Tick::ZERO, &budgets, None, true, &present);
        let own = left_by_those_before(&plan, Tick::ZERO, &planned, phase);
        prop_assert!(own <= limit + plan.join, "{own:?}");
        for before in planned.range(..phase) {
            // Parts are rounded down to nanoseconds.
            let after = plan.deadline(*before).map(|at| at + Duration::from_nanos(100));
            prop_assert!(after >= without.deadline(*before), "{before:?}");
        }
    }

    #[test]
    fn a_phase_that_is_not_planned_takes_no_time_reserved_for_the_next_one(
        drain in millis(0..15_000),
        stop in millis(100..40_000),
        planned in phases(9),
    ) {
        let budgets = budgets(drain + stop + SECOND, drain, SECOND);
        let plan = Plan::new(Tick::ZERO, &budgets, None, true, &with_cleanup(&planned));
        let over_by = |phase: &Phase| Some(plan.deadline(*phase)? + plan.join(*phase));
        for phase in every_phase() {
            let (before, next) =
                (planned.range(..phase).next_back(), planned.range(phase..).next());
            let expected = match (before, next) {
                (_, Some(next)) if *next == phase => continue,
                (Some(before), Some(_)) => over_by(before),
                // The first phase keeps two thirds.
                (None, Some(next)) => over_by(next).map(|end| end - (end - drain) / 3 * 2),
                (Some(before), None) => plan.deadline(*before),
                (None, None) => Some(drain + stop - plan.join),
            };
            prop_assert_eq!(plan.deadline(phase), expected);
        }
    }

    /// Invariant 3, of every phase there can be, planned or not. A phase that is stopped too late
    /// has its least time.
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
        let budgets = Budgets { total, ..budgets(Duration::ZERO, drain, cleanup) };
        let mut plan = if with_outer {
            Plan::with_outer(Tick::ZERO, &budgets)
        } else {
            Plan::new(Tick::ZERO, &budgets, None, true, &with_cleanup(&planned))
        };
        let mut now = Tick::ZERO;
        for (change, time, alive) in changes {
            now += time;
            let before: Vec<_> = every_phase().map(|phase| plan.deadline(phase)).collect();
            let (end, drain_end, join) = (plan.end, plan.drain_end, plan.join);
            // A closed phase has no tasks.
            let stopped = plan.stopped();
            let alive: Vec<_> = alive.into_iter().filter(|phase| Some(*phase) > stopped).collect();
            let present = with_cleanup(&alive);
            match change {
                Change::Tighten(limit) if plan.drains_with_outer => {
                    // The limit of the outer group comes with its stop.
                    plan.end_drain(now, own, &present);
                    plan.tighten(now, limit, &present);
                }
                Change::Tighten(limit) => plan.tighten(now, limit, &present),
                Change::EndDrain => plan.end_drain(now, own, &present),
                Change::Stop(timeout) => match alive.first() {
                    Some(phase) => plan.stop(*phase, now, timeout),
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
                if Some(phase) < plan.stopped() {
                    prop_assert!(after <= now, "its tasks are gone");
                    continue;
                }
                let least = plan.stopped().filter(|stopped| *stopped == phase);
                let least = least.map_or(Tick::ZERO, |_| now + plan.join(phase));
                prop_assert!(after <= before.unwrap_or(Tick::MAX).max(least), "{phase:?} moved");
                prop_assert!(after <= plan.end.unwrap_or(Tick::MAX).max(now));
            }
            let open = every_phase().filter(|phase| Some(*phase) > plan.stopped());
            prop_assert!(open.is_sorted_by_key(|phase| plan.deadline(phase).unwrap_or(Tick::MAX)));
        }
    }

    #[test]
    fn a_later_limit_gives_every_phase_the_earlier_of_the_deadlines_of_both_layouts(
        (drain, cleanup, stop) in (millis(0..15_000), millis(0..10_000), millis(100..40_000)),
        (planned, later) in (phases(9), phases(9)),
        (now, limit) in (0.0..0.9, 0.0..0.9),
    ) {
        let total = drain + cleanup + stop;
        let now = total.mul_f64(now);
        let limit = (total - now).mul_f64(limit);
        let budgets = budgets(total, drain, cleanup);
        let mut plan = Plan::new(Tick::ZERO, &budgets, None, true, &with_cleanup(&planned));
        let before: Vec<_> = every_phase().map(|phase| plan.deadline(phase)).collect();
        plan.end_drain(now, None, &with_cleanup(&later));
        plan.tighten(now, limit, &with_cleanup(&later));
        let anew = Plan::new(now, &budgets, Some(limit), false, &with_cleanup(&later));
        for (phase, before) in every_phase().zip(before) {
            let (after, anew) = (plan.deadline(phase), anew.deadline(phase));
            // The first layout's time for aborted tasks may be shorter, which leaves more.
            let most = anew.map(|anew| anew + Duration::from_millis(250));
            prop_assert!(after >= before.min(anew) && after <= before.min(most), "{phase:?}");
        }
    }

    #[test]
    fn the_limit_of_the_outer_group_counts_if_it_is_smaller_and_never_if_it_is_larger(
        total in prop_oneof![Just(None), millis(20_000..40_000).prop_map(Some)],
        limit in millis(0..60_000),
    ) {
        let budgets = Budgets {
            total: total.map_or(Timeout::Never, Timeout::After),
            ..budgets(Duration::ZERO, 5 * SECOND, 5 * SECOND)
        };
        let plan =
            Plan::new(Tick::ZERO, &budgets, Some(limit), true, &with_cleanup(&[Phase::WORK]));
        let end = total.map_or(limit, |total| total.min(limit));
        prop_assert_eq!(plan.end, Some(end));
        prop_assert!(plan.drain_end + plan.cleanup <= end, "something is left for the tasks");
        prop_assert!(plan.deadline(Phase::WORK) <= Some(end.saturating_sub(plan.cleanup)));
    }
}

#[test]
fn a_later_limit_leaves_drain_and_cleanups_a_quarter_each_and_adds_no_time() {
    let budgets = budgets(40 * SECOND, 15 * SECOND, 5 * SECOND);
    let present = with_cleanup(&[Phase::WORK]);
    let mut plan = Plan::new(Tick::ZERO, &budgets, None, true, &present);
    plan.tighten(10 * SECOND, 60 * SECOND, &present);
    assert_eq!((plan.end, plan.cleanup), (Some(40 * SECOND), 5 * SECOND));
    plan.tighten(10 * SECOND, 8 * SECOND, &present);
    assert_eq!((plan.end, plan.cleanup), (Some(18 * SECOND), 2 * SECOND));
    assert_eq!(plan.drain_end, 12 * SECOND);
    assert_eq!(plan.deadline(Phase::WORK), Some(16 * SECOND - plan.join));
}

#[test]
fn a_limit_that_comes_with_an_escalation_leaves_the_cleanups_three_quarters() {
    let budgets = budgets(40 * SECOND, Duration::ZERO, 4 * SECOND);
    let present = with_cleanup(&[Phase::WORK]);
    let mut plan = Plan::new(Tick::ZERO, &budgets, None, true, &present);
    plan.escalate(2 * SECOND);
    plan.tighten(Tick::ZERO, 2 * SECOND, &present);
    assert_eq!((plan.end, plan.cleanup), (Some(2 * SECOND), SECOND / 2 * 3));
}

/// The drain is shorter than planned, so the first layout had reserved little for the later phase.
#[test]
fn a_limit_at_the_end_of_a_long_drain_does_not_abort_the_first_phase_at_once() {
    let millis = Duration::from_millis;
    let budgets = budgets(millis(20_000), millis(15_000), millis(4_900));
    let present = with_cleanup(&[Phase::WORK, Phase::SUPPORT]);
    let mut plan = Plan::new(Tick::ZERO, &budgets, None, true, &present);
    plan.end_drain(millis(14_990), None, &present);
    plan.tighten(millis(14_990), millis(5_000), &present);
    assert!(plan.deadline(Phase::WORK) > Some(millis(15_030)), "{plan:?}");
}

#[test]
fn a_phase_whose_turn_comes_too_late_has_the_time_to_be_dropped_within_half_of_the_cleanups_time() {
    let budgets = budgets(25 * SECOND, Duration::ZERO, 5 * SECOND);
    let present = with_cleanup(&[Phase::WORK, Phase::SUPPORT]);
    let mut plan = Plan::new(Tick::ZERO, &budgets, None, true, &present);
    let millis = Duration::from_millis;
    let planned = Some(millis(19_750));
    for (stopped, deadline, limit) in [
        (19_000, planned, Limit::Part),
        (19_600, Some(millis(19_850)), Limit::Least),
        (20_100, Some(millis(20_350)), Limit::Least),
        (22_400, Some(millis(22_450)), Limit::Least),
        (23_000, Some(millis(23_000)), Limit::Least),
    ] {
        assert_eq!(plan.join(Phase::SUPPORT), millis(250));
        plan.stop(Phase::SUPPORT, millis(stopped), None);
        assert_eq!(plan.limit(Phase::SUPPORT), (deadline, limit), "at {stopped}");
    }
}

#[test]
fn what_shortens_the_time_of_a_stopped_phase_most_is_its_limit() {
    let budgets = budgets(25 * SECOND, Duration::ZERO, Duration::ZERO);
    let mut plan = Plan::new(Tick::ZERO, &budgets, None, true, &without_cleanup(&[Phase::WORK]));
    let limit = |plan: &Plan| plan.limit(Phase::WORK);
    plan.stop(Phase::WORK, SECOND, None);
    assert_eq!(limit(&plan), (Some(Duration::from_millis(24_750)), Limit::Part));
    plan.stop(Phase::WORK, SECOND, Some(60 * SECOND));
    assert_eq!(limit(&plan), (Some(Duration::from_millis(24_750)), Limit::Part));
    plan.stop(Phase::WORK, SECOND, Some(2 * SECOND));
    assert_eq!(limit(&plan), (Some(3 * SECOND), Limit::PhaseTimeout));
    plan.escalate(Duration::ZERO);
    assert_eq!(limit(&plan), (Some(Duration::from_millis(1_250)), Limit::Escalation));
}
