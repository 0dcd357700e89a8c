//! Random schedules of calls to a manager on paused time, checked against the invariants.
//!
//! `runner.rs` runs a schedule, `checks.rs` checks its results. `PROPTEST_CASES` sets the number of
//! schedules.

use std::time::Duration;

use proptest::prelude::*;
use task_manager::{Escalation, Phase};

mod checks;
mod runner;

/// The behaviour of a task. Times are virtual milliseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Behaviour {
    CompletesAfter(u64),
    FailsAfter(u64),
    PanicsAfter(u64),
    /// Works until it is stopped, and takes this long to end.
    Stops(u64),
    /// Works until it is stopped, and returns the error of `or_cancelled`.
    StopsByError,
    /// Returns an error once it is stopped.
    FailsWhenStopped(u64),
    /// Ignores cancellation.
    Unresponsive,
    /// Its future ends at once, and a hold is kept for a while.
    HoldsOn(u64),
    /// Ignores cancellation, and its drop panics.
    PanicsInDrop,
    /// Records a failure, and goes on until it is stopped.
    Survives(u64),
    RequestsStop(u64),
    Escalates(u64, Escalation),
    /// Runs another task, which is stopped with the group.
    Spawns(u64),
    /// Gates readiness, and changes its readiness before it is stopped.
    Flickers(u64),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Hook {
    Succeeds(u64),
    Fails,
    Panics,
    Hangs,
    /// Registers another cleanup.
    Registers,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Action {
    Run {
        critical: bool,
        phase: Phase,
        behaviour: Behaviour,
        /// Its stop timeout.
        limit: Option<u64>,
    },
    Cleanup(Hook),
    /// Beside the one before it.
    CleanupBeside(Hook),
    Stop,
    StopByHandle,
    StopOne(usize),
    /// Waits for at most this long.
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
    pub(crate) actions: Vec<Action>,
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
        2 => Just(Behaviour::Unresponsive),
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

fn action() -> impl Strategy<Value = Action> {
    let phase = prop_oneof![
        Just(Phase::INGRESS),
        Just(Phase::WORK),
        Just(Phase::new(150)),
        Just(Phase::SUPPORT)
    ];
    let hook = || {
        prop_oneof![
            3 => (0..3_000_u64).prop_map(Hook::Succeeds),
            1 => Just(Hook::Fails),
            1 => Just(Hook::Panics),
            1 => Just(Hook::Hangs),
            1 => Just(Hook::Registers),
        ]
    };
    let limit = proptest::option::weighted(0.2, 0..5_000_u64);
    prop_oneof![
        // Mostly ephemeral: the end of a critical task ends the schedule soon.
        8 => (proptest::bool::weighted(0.2), phase, behaviour(), limit).prop_map(
            |(critical, phase, behaviour, limit)| Action::Run { critical, phase, behaviour, limit }
        ),
        3 => hook().prop_map(Action::Cleanup),
        2 => hook().prop_map(Action::CleanupBeside),
        1 => Just(Action::Stop),
        1 => Just(Action::StopByHandle),
        1 => any::<usize>().prop_map(Action::StopOne),
        1 => (0..30_000_u64).prop_map(Action::Wait),
        4 => (0..6_000_u64).prop_map(Action::Sleep),
    ]
}

fn schedule() -> impl Strategy<Value = Schedule> {
    let millis = |range: std::ops::Range<u64>| range.prop_map(Duration::from_millis);
    let ending = prop_oneof![Just(Ending::Shutdown), Just(Ending::Drop)];
    let actions = proptest::collection::vec(action(), 0..24);
    // At least a second, since the resolution of Tokio's timers is a millisecond.
    let cleanup = prop_oneof![1 => Just(Duration::ZERO), 9 => millis(1_000..6_000)];
    (millis(100..20_000), millis(0..6_000), cleanup, any::<bool>(), actions, ending).prop_map(
        |(stop, drain, cleanup, only_failures_stop, actions, ending)| Schedule {
            stop,
            drain,
            cleanup,
            only_failures_stop,
            actions,
            ending,
        },
    )
}

proptest! {
    // The time is in milliseconds: a failure is shown before the watchdog takes it for a hang.
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        max_shrink_time: 60_000,
        ..ProptestConfig::default()
    })]

    /// Invariants 1, 2, 3, 4, 5, 7, 8 and 11.
    #[test]
    fn after_any_schedule_the_report_is_complete_and_no_task_is_left(schedule in schedule()) {
        runner::run_schedule(&schedule);
    }
}
