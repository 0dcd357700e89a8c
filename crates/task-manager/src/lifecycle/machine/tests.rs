//! Random lives of a group against what the contract says of each: `model.rs` judges, these tests
//! choose what happens. `PROPTEST_CASES` sets the number of lives of each kind; 256 without it.

use std::time::Duration;

use proptest::prelude::*;
use task_core::{Escalation, Outcome, Phase, Step, Timeout};

use self::model::Model;
use super::{Kind, Trigger};
use crate::lifecycle::plan::Budgets;

mod model;

/// One thing that happens to a group. An index chooses among the tasks that are alive then.
#[derive(Clone, Debug)]
enum Event {
    Admit(Phase, Kind),
    /// A task that has a stop timeout.
    AdmitLimited(Phase, Duration),
    /// A task that runs a group.
    AdmitNested(Phase),
    /// One task is asked to stop alone.
    StopOne(usize),
    /// One task is asked to end alone within a time.
    StopOneWithin(usize, Duration),
    End(usize, Outcome),
    Trigger(Trigger, Option<Duration>),
    Escalate(Escalation),
    Wait,
    Started,
    AddCleanup,
    /// One that runs beside the one before it.
    AddBeside,
    EndCleanup,
    /// Time passes, but not past what is due.
    Pass(Duration),
    /// Time passes to the instant at which something is due.
    PassToDue,
    /// Time passes, and the machine is advanced late.
    Oversleep(Duration),
}

fn event(oversleeps: bool) -> impl Strategy<Value = Event> {
    let millis = |range: std::ops::Range<u64>| range.prop_map(Duration::from_millis);
    let phase = || {
        prop_oneof![
            1 => Just(Phase::SETUP),
            3 => Just(Phase::INGRESS),
            6 => Just(Phase::WORK),
            3 => Just(Phase::SUPPORT),
            1 => any::<u8>().prop_map(Phase::new),
        ]
    };
    let kind = prop_oneof![Just(Kind::Critical), Just(Kind::Ephemeral)];
    let outcome = prop_oneof![
        6 => Just(Outcome::Completed),
        2 => Just(Outcome::Cancelled),
        1 => Just(Outcome::Failed),
        1 => Just(Outcome::Panicked),
        1 => Just(Outcome::Aborted),
    ];
    let trigger = prop_oneof![
        Just(Trigger::Request),
        Just(Trigger::Failure),
        Just(Trigger::Plain),
        Just(Trigger::OuterDrain),
        Just(Trigger::OuterStop),
    ];
    let limit = prop_oneof![3 => Just(None), 1 => millis(0..40_000).prop_map(Some)];
    let level = prop_oneof![Just(Escalation::EndDrain), Just(Escalation::Abort)];
    prop_oneof![
        8 => (phase(), kind).prop_map(|(phase, kind)| Event::Admit(phase, kind)),
        3 => (phase(), millis(0..4_000)).prop_map(|(phase, limit)| Event::AdmitLimited(phase, limit)),
        1 => phase().prop_map(Event::AdmitNested),
        1 => any::<usize>().prop_map(Event::StopOne),
        1 => (any::<usize>(), millis(0..4_000))
            .prop_map(|(index, limit)| Event::StopOneWithin(index, limit)),
        4 => (any::<usize>(), outcome).prop_map(|(index, outcome)| Event::End(index, outcome)),
        2 => (trigger, limit).prop_map(|(trigger, limit)| Event::Trigger(trigger, limit)),
        1 => level.prop_map(Event::Escalate),
        1 => Just(Event::Wait),
        1 => Just(Event::Started),
        3 => Just(Event::AddCleanup),
        2 => Just(Event::AddBeside),
        2 => Just(Event::EndCleanup),
        3 => millis(0..6_000).prop_map(Event::Pass),
        4 => Just(Event::PassToDue),
        3 => millis(0..if oversleeps { 20_000 } else { 1 }).prop_map(Event::Oversleep),
    ]
}

fn budgets() -> impl Strategy<Value = Budgets> {
    let never = prop_oneof![4 => Just(false), 1 => Just(true)];
    let phase = proptest::sample::select(vec![Phase::INGRESS, Phase::WORK, Phase::SUPPORT]);
    let phases = proptest::option::of((phase, (0..10_000_u64).prop_map(Duration::from_millis)));
    let cleanup = (0..10_000_u64, any::<bool>());
    (never, 0..15_000_u64, cleanup, 0..2_000_u64, 100..40_000_u64, phases).prop_map(
        |(never, drain, (cleanup, limits_cleanups), escalated_cleanup, stop, phases)| {
            let [drain, cleanup, escalated_cleanup, stop] =
                [drain, cleanup, escalated_cleanup, stop].map(Duration::from_millis);
            let total = if never { Timeout::Never } else { Timeout::After(drain + cleanup + stop) };
            let phases = Vec::from_iter(phases);
            Budgets { total, drain, cleanup, limits_cleanups, escalated_cleanup, phases }
        },
    )
}

fn start() -> impl Strategy<Value = Option<Duration>> {
    proptest::option::of((0..20_000_u64).prop_map(Duration::from_millis))
}

fn events(oversleeps: bool) -> impl Strategy<Value = Vec<Event>> {
    proptest::collection::vec(event(oversleeps), 0..40)
}

/// Lets the events happen, and then nothing but time until the group has ended.
fn live(budgets: Budgets, policy: bool, start: Option<Duration>, events: Vec<Event>) -> Model {
    let mut model = Model::new(budgets, policy, start);
    for event in events {
        model.happen(event);
    }
    model.happen(Event::Trigger(Trigger::Request, None));
    if model.drains_with_outer() {
        // Sooner or later the outer group stops it.
        model.happen(Event::Trigger(Trigger::OuterStop, None));
    }
    for _ in 0..10_000 {
        match model.step() {
            Step::Ended => return model,
            // Without a limit, tasks end when they like.
            Step::Stopping if model.is_unlimited() => {
                model.happen(Event::Pass(Duration::from_millis(7_000)));
                model.happen(Event::End(0, Outcome::Completed));
            }
            _ => model.happen(Event::PassToDue),
        }
    }
    panic!("it did not end: {model:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Invariants 3, 4, 7 and 8; the budgets are kept to the instant.
    #[test]
    fn a_group_that_is_advanced_in_time_keeps_its_budgets_and_ends(
        budgets in budgets(),
        policy in any::<bool>(),
        start in start(),
        events in events(false),
    ) {
        live(budgets, policy, start, events);
    }

    /// The same but for the budgets: an advance that comes late finds each step still due.
    #[test]
    fn a_group_that_is_advanced_late_still_does_every_step_once_and_in_order(
        budgets in budgets(),
        policy in any::<bool>(),
        start in start(),
        events in events(true),
    ) {
        live(budgets, policy, start, events);
    }
}

/// Every order of a few events, rather than some of many: what a lock makes of threads that race.
#[test]
fn every_order_of_the_events_of_a_small_group_keeps_the_contract() {
    let second = Duration::from_secs(1);
    let budgets = Budgets {
        total: Timeout::After(6 * second),
        drain: second,
        cleanup: second,
        limits_cleanups: true,
        escalated_cleanup: second / 2,
        phases: Vec::new(),
    };
    let mut rest = vec![
        Event::Admit(Phase::WORK, Kind::Critical),
        Event::Admit(Phase::SUPPORT, Kind::Ephemeral),
        Event::End(0, Outcome::Failed),
        Event::Wait,
        Event::Trigger(Trigger::Request, None),
        Event::Escalate(Escalation::Abort),
        Event::AddCleanup,
        Event::PassToDue,
    ];
    let mut orders = 0;
    permute(&mut rest, 0, &mut |events| {
        orders += 1;
        live(budgets.clone(), false, None, events.to_vec());
    });
    assert_eq!(orders, 40_320);
}

/// Each of them has its least time, and the last deadline has passed.
#[test]
fn phases_that_first_appear_at_the_last_moment_do_not_exceed_the_total() {
    let budgets = Budgets {
        total: Timeout::After(Duration::from_secs(2)),
        drain: Duration::ZERO,
        cleanup: Duration::ZERO,
        limits_cleanups: true,
        escalated_cleanup: Duration::ZERO,
        phases: Vec::new(),
    };
    let mut events = vec![
        Event::Admit(Phase::WORK, Kind::Critical),
        Event::Trigger(Trigger::Request, None),
        Event::PassToDue,
    ];
    events.extend((101..110).map(|number| Event::Admit(Phase::new(number), Kind::Critical)));
    live(budgets, false, None, events);
}

#[test]
fn a_phase_that_first_appears_late_and_is_aborted_leaves_the_next_one_its_time() {
    let budgets = Budgets {
        total: Timeout::After(Duration::from_secs(4)),
        drain: Duration::ZERO,
        cleanup: Duration::ZERO,
        limits_cleanups: true,
        escalated_cleanup: Duration::ZERO,
        phases: Vec::new(),
    };
    let events = vec![
        Event::Admit(Phase::WORK, Kind::Critical),
        Event::Admit(Phase::SUPPORT, Kind::Critical),
        Event::Trigger(Trigger::Request, None),
        Event::Admit(Phase::new(150), Kind::Critical),
        Event::End(0, Outcome::Completed),
        Event::PassToDue,
        Event::End(0, Outcome::Aborted),
    ];
    live(budgets, false, None, events);
}

#[test]
fn the_limit_of_an_outer_stop_reaches_a_cleanup_that_runs() {
    let second = Duration::from_secs(1);
    let budgets = Budgets {
        total: Timeout::After(20 * second),
        drain: Duration::ZERO,
        cleanup: 10 * second,
        limits_cleanups: true,
        escalated_cleanup: second,
        phases: Vec::new(),
    };
    let events = vec![
        Event::AddCleanup,
        Event::AddCleanup,
        Event::Trigger(Trigger::Request, None),
        Event::Pass(second),
        Event::Trigger(Trigger::OuterStop, Some(second)),
    ];
    live(budgets, false, None, events);
}

#[test]
fn the_limit_of_the_outer_drain_ends_a_longer_drain_in_time() {
    let second = Duration::from_secs(1);
    let budgets = Budgets {
        total: Timeout::After(30 * second),
        drain: 20 * second,
        cleanup: second,
        limits_cleanups: true,
        escalated_cleanup: second,
        phases: Vec::new(),
    };
    let events = vec![
        Event::Started,
        Event::Admit(Phase::WORK, Kind::Critical),
        Event::Trigger(Trigger::Request, None),
        Event::Pass(second),
        Event::Trigger(Trigger::OuterDrain, Some(4 * second)),
    ];
    live(budgets, false, None, events);
}

/// Calls `visit` with every order of what is behind `fixed`.
fn permute(events: &mut [Event], fixed: usize, visit: &mut impl FnMut(&[Event])) {
    if fixed == events.len() {
        return visit(events);
    }
    for index in fixed..events.len() {
        events.swap(fixed, index);
        permute(events, fixed + 1, visit);
        events.swap(fixed, index);
    }
}
