//! Random schedules of everything that one can do to a manager, on paused time, and what the invariants say of each.
//!
//! `life.rs` plays a schedule, `verdict.rs` judges what came of it. `PROPTEST_CASES` sets how many there are.

use std::time::Duration;

use proptest::prelude::*;
use task_manager::{Escalation, Phase};

mod life;
mod verdict;

/// What one task does. Times are virtual milliseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Behaviour {
    CompletesAfter(u64),
    FailsAfter(u64),
    PanicsAfter(u64),
    /// Works until it is stopped, and takes a while to end.
    Stops(u64),
    /// The same, by way of `or_cancelled` and `?`.
    StopsByError,
    /// Fails because it is stopped.
    FailsWhenStopped(u64),
    Deaf,
    /// Its own future ends, and something that it began goes on for a while.
    HoldsOn(u64),
    /// Deaf, and its drop panics.
    PanicsInDrop,
    /// Records a failure, and goes on until it is stopped.
    Survives(u64),
    RequestsStop(u64),
    Escalates(u64, Escalation),
    /// Has another task run, which is stopped with everybody.
    Spawns(u64),
    /// Gates readiness, and is ready on and off until it is stopped.
    Flickers(u64),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Hook {
    Succeeds(u64),
    Fails,
    Panics,
    Hangs,
    /// Registers another one.
    Registers,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Deed {
    Run {
        critical: bool,
        phase: Phase,
        behaviour: Behaviour,
    },
    Cleanup(Hook),
    Stop,
    StopByHandle,
    StopOne(usize),
    /// Waits for so long at most.
    Wait(u64),
    Sleep(u64),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Ending {
    Shutdown,
    Drop,
}

#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    pub(crate) stop: Duration,
    pub(crate) drain: Duration,
    pub(crate) cleanup: Duration,
    pub(crate) only_failures_stop: bool,
    pub(crate) deeds: Vec<Deed>,
    pub(crate) ending: Ending,
}

fn behaviour() -> impl Strategy<Value = Behaviour> {
    let time = || 0..15_000_u64;
    prop_oneof![
        4 => time().prop_map(Behaviour::CompletesAfter),
        1 => time().prop_map(Behaviour::FailsAfter),
        1 => time().prop_map(Behaviour::PanicsAfter),
        4 => time().prop_map(Behaviour::Stops),
        2 => Just(Behaviour::StopsByError),
        1 => time().prop_map(Behaviour::FailsWhenStopped),
        2 => Just(Behaviour::Deaf),
        2 => time().prop_map(Behaviour::HoldsOn),
        1 => Just(Behaviour::PanicsInDrop),
        1 => time().prop_map(Behaviour::Survives),
        1 => time().prop_map(Behaviour::RequestsStop),
        1 => time().prop_map(|time| Behaviour::Escalates(time, Escalation::EndDrain)),
        1 => time().prop_map(|time| Behaviour::Escalates(time, Escalation::Abort)),
        1 => time().prop_map(Behaviour::Spawns),
        1 => time().prop_map(Behaviour::Flickers),
    ]
}

fn deed() -> impl Strategy<Value = Deed> {
    let phase = prop_oneof![
        Just(Phase::INGRESS),
        Just(Phase::WORK),
        Just(Phase::new(150)),
        Just(Phase::SUPPORT)
    ];
    let hook = prop_oneof![
        3 => (0..3_000_u64).prop_map(Hook::Succeeds),
        1 => Just(Hook::Fails),
        1 => Just(Hook::Panics),
        1 => Just(Hook::Hangs),
        1 => Just(Hook::Registers),
    ];
    prop_oneof![
        // Mostly ephemeral: the end of a critical task ends the schedule soon.
        8 => (proptest::bool::weighted(0.2), phase, behaviour())
            .prop_map(|(critical, phase, behaviour)| Deed::Run { critical, phase, behaviour }),
        3 => hook.prop_map(Deed::Cleanup),
        1 => Just(Deed::Stop),
        1 => Just(Deed::StopByHandle),
        1 => any::<usize>().prop_map(Deed::StopOne),
        1 => (0..30_000_u64).prop_map(Deed::Wait),
        4 => (0..6_000_u64).prop_map(Deed::Sleep),
    ]
}

fn schedule() -> impl Strategy<Value = Schedule> {
    let millis = |range: std::ops::Range<u64>| range.prop_map(Duration::from_millis);
    let ending = prop_oneof![Just(Ending::Shutdown), Just(Ending::Drop)];
    let deeds = proptest::collection::vec(deed(), 0..24);
    // Not next to nothing, since tokio's timers are only good to a millisecond.
    let cleanup = prop_oneof![1 => Just(Duration::ZERO), 9 => millis(1_000..6_000)];
    (millis(100..20_000), millis(0..6_000), cleanup, any::<bool>(), deeds, ending).prop_map(
        |(stop, drain, cleanup, only_failures_stop, deeds, ending)| Schedule {
            stop,
            drain,
            cleanup,
            only_failures_stop,
            deeds,
            ending,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Invariants 1, 2, 3, 4, 5, 7, 8 and 11.
    #[test]
    fn whatever_is_done_to_a_manager_its_report_is_true_and_nobody_is_left(schedule in schedule()) {
        life::play(&schedule);
    }
}
