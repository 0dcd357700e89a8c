//! What is true of the times on every platform, and the variables by which one is recognised.

#![allow(clippy::unwrap_used)]

use std::{ffi::OsString, time::Duration};

use proptest::prelude::*;
use task_core::{Phase, Timeout};
use task_manager::{Manager, ManagerBuilder, SetTimes};

use super::{Fit, Grace, LAST_OUTPUT, Platform};

const SECOND: Duration = Duration::from_secs(1);
const DROP: Duration = Duration::from_millis(500);

fn presets() -> [Platform; 8] {
    [
        Platform::kubernetes(),
        Platform::cloud_run(),
        Platform::nomad(),
        Platform::fly(),
        Platform::ecs(),
        Platform::systemd(),
        Platform::docker(),
        Platform::other("Heroku", 30 * SECOND),
    ]
}

fn millis(range: std::ops::Range<u64>) -> impl Strategy<Value = Duration> {
    range.prop_map(Duration::from_millis)
}

/// A builder with some of the times set.
fn settings() -> impl Strategy<Value = ManagerBuilder> {
    let phase = (any::<u8>(), millis(0..40_000));
    let times = (
        proptest::option::of(prop_oneof![
            9 => millis(0..100_000).prop_map(Timeout::After),
            1 => Just(Timeout::Never),
        ]),
        proptest::option::of(millis(0..20_000)),
        proptest::option::of(millis(0..20_000)),
        proptest::collection::vec(phase, 0..3),
    );
    times.prop_map(|(total, drain, cleanup, phases)| {
        let mut builder = Manager::builder();
        if let Some(total) = total {
            builder = builder.shutdown_timeout(total);
        }
        if let Some(drain) = drain {
            builder = builder.drain_delay(drain);
        }
        if let Some(cleanup) = cleanup {
            builder = builder.cleanup_timeout(cleanup);
        }
        phases.into_iter().fold(builder, |builder, (phase, limit)| {
            builder.phase_timeout(Phase::new(phase), limit)
        })
    })
}

fn fitted(platform: &Platform) -> (u128, u128, u128) {
    let Fit { grace, total, drain } = platform.fit(SetTimes::default(), DROP).unwrap();
    (grace.as_millis(), total.as_millis(), drain.as_millis())
}

/// The table of the documentation.
#[test]
fn the_presets_fit_the_graces() {
    assert_eq!(fitted(&Platform::kubernetes()), (30_000, 28_000, 5_000));
    assert_eq!(fitted(&Platform::cloud_run()), (10_000, 8_000, 0));
    assert_eq!(fitted(&Platform::nomad()), (5_000, 3_000, 0));
    assert_eq!(fitted(&Platform::fly()), (5_000, 3_000, 0));
    assert_eq!(fitted(&Platform::ecs()), (30_000, 28_000, 0));
    assert_eq!(fitted(&Platform::systemd()), (90_000, 88_000, 0));
    assert_eq!(fitted(&Platform::docker()), (10_000, 8_000, 0));
    let hook = Platform::kubernetes().pre_stop(5 * SECOND);
    assert_eq!(fitted(&hook), (30_000, 23_000, 0), "the hook is the drain");
    let short = Platform::kubernetes().grace(10 * SECOND);
    assert_eq!(fitted(&short), (10_000, 8_000, 2_000), "a quarter");
}

proptest! {
    #[test]
    fn what_fits_is_over_before_the_kill_and_keeps_what_is_set(
        platform in proptest::sample::select(presets().to_vec()),
        grace in proptest::option::of(millis(0..120_000)),
        before_signal in prop_oneof![Just(Duration::ZERO), millis(0..20_000)],
        drop_timeout in millis(0..5_000),
        builder in settings(),
    ) {
        let mut platform = platform.pre_stop(before_signal);
        if let Some(grace) = grace {
            platform = platform.grace(grace);
        }
        let set = builder.times();
        let grace = platform.read_grace().unwrap();
        let latest = |total: Duration| {
            let hard_exit = total + ManagerBuilder::HARD_EXIT_DELAY + LAST_OUTPUT;
            let code_of_error = Duration::from_secs(1);
            let report = total + code_of_error + LAST_OUTPUT.max(drop_timeout);
            before_signal + hard_exit.max(report)
        };
        match platform.fit(set, drop_timeout) {
            Ok(fit) => {
                prop_assert!(latest(fit.total) <= grace);
                if let Some(total) = set.shutdown_timeout {
                    prop_assert_eq!(Timeout::After(fit.total), total);
                } else {
                    prop_assert_eq!(latest(fit.total), grace, "none is given away");
                }
                if let Some(drain) = set.drain_delay {
                    prop_assert_eq!(fit.drain, drain);
                }
                // The manager agrees, and every phase can have what it may have.
                let stop = fit.total - fit.drain - set.cleanup_timeout.unwrap_or_default();
                if let Some((_, limit)) = set.longest_phase_timeout {
                    prop_assert!(limit <= stop);
                }
                let built = builder.shutdown_timeout(fit.total).drain_delay(fit.drain).build();
                prop_assert!(built.is_ok(), "{:?}", built);
            }
            Err(error) => {
                // Nothing that would fit is refused.
                let total = match set.shutdown_timeout {
                    Some(Timeout::After(total)) => Some(total),
                    Some(Timeout::Never) => None,
                    None => grace.checked_sub(latest(Duration::ZERO)),
                };
                let fits = total.is_some_and(|total| {
                    let parts =
                        set.drain_delay.unwrap_or_default() + set.cleanup_timeout.unwrap_or_default();
                    let phase = set.longest_phase_timeout.map_or(Duration::ZERO, |(_, it)| it);
                    // With the most that the preset may add to them.
                    let drain = if set.drain_delay.is_none() { total / 4 } else { Duration::ZERO };
                    let stop = total.saturating_sub(parts + drain);
                    latest(total) <= grace && stop >= Duration::from_millis(100) && phase <= stop
                });
                prop_assert!(!fits, "{}", error);
                prop_assert!(error.is_too_long() || error.is_no_time_to_stop());
            }
        }
    }
}

#[track_caller]
fn assert_error(platform: &Platform, builder: &ManagerBuilder, text: &str) {
    assert_eq!(platform.fit(builder.times(), DROP).unwrap_err().to_string(), text);
}

#[test]
fn an_error_has_the_figures_and_what_would_fit() {
    let builder = Manager::builder;
    assert_error(
        &Platform::cloud_run(),
        &builder().shutdown_timeout(25 * SECOND),
        "`shutdown_timeout` of 25s does not fit Cloud Run, which kills the process 10s after the \
         beginning of a stop: at most 8s does; if it grants more time, set `Platform::grace` or \
         TASK_GRACE_SECONDS",
    );
    assert_error(
        &Platform::docker(),
        &builder().shutdown_timeout(Timeout::Never),
        "a `shutdown_timeout` without a limit does not fit Docker, which kills the process 10s \
         after the beginning of a stop: at most 8s does; if it grants more time, set \
         `Platform::grace` or TASK_GRACE_SECONDS",
    );
    assert_error(
        &Platform::fly().grace(2 * SECOND),
        &builder(),
        "Fly.io kills the process 2s after the beginning of a stop, which leaves nothing for a \
         shutdown: 0ns are over at the signal, and 2s are for the end",
    );
    assert_error(
        &Platform::nomad(),
        &builder().drain_delay(2 * SECOND).cleanup_timeout(SECOND),
        "`drain_delay` of 2s and `cleanup_timeout` of 1s leave less than 100ms for the tasks, of \
         the 3s that a shutdown takes on Nomad",
    );
    assert_error(
        &Platform::cloud_run(),
        &builder().phase_timeout(Phase::WORK, 10 * SECOND),
        "`phase_timeout` of 10s for phase 100 is longer than the 8s that tasks have on Cloud Run",
    );
}

fn recognised(variables: &[(&str, &str)]) -> Option<Platform> {
    let find = |name: &str| variables.iter().find(|(other, _)| *other == name);
    Platform::of(|name| find(name).map(|(_, value)| OsString::from(value)), 7)
}

#[test]
fn each_platform_is_recognised_by_its_variable_and_the_first_of_several() {
    let all = [
        ("KUBERNETES_SERVICE_HOST", "Kubernetes"),
        ("K_SERVICE", "Cloud Run"),
        ("NOMAD_ALLOC_ID", "Nomad"),
        ("FLY_MACHINE_ID", "Fly.io"),
        ("FLY_ALLOC_ID", "Fly.io"),
        ("ECS_CONTAINER_METADATA_URI_V4", "ECS"),
        ("INVOCATION_ID", "systemd"),
    ];
    let environment = all.map(|(variable, _)| (variable, "x"));
    for (place, (variable, name)) in all.iter().enumerate() {
        for later in [&environment[place..=place], &environment[place..]] {
            let platform = recognised(later).unwrap();
            assert_eq!((platform.name(), platform.chosen_by), (*name, *variable));
        }
    }
    assert_eq!(recognised(&[("PATH", "/bin"), ("TASK_TERMINATION_LOG", "/tmp/x")]), None);
}

#[test]
fn a_unit_is_recognised_by_its_main_process_alone() {
    let unit = |pid| recognised(&[("INVOCATION_ID", "x"), ("SYSTEMD_EXEC_PID", pid)]);
    assert_eq!(unit("7").unwrap().name(), "systemd");
    assert_eq!(unit("77"), None);
}

#[test]
fn the_deployment_sets_the_grace_and_the_file() {
    let variables = [
        ("K_SERVICE", "orders"),
        ("TASK_GRACE_SECONDS", " 60 "),
        ("TASK_TERMINATION_LOG", "/run/why"),
    ];
    let platform = recognised(&variables).unwrap();
    assert_eq!(fitted(&platform).0, 60_000);
    assert_eq!(platform.grace_from(), "TASK_GRACE_SECONDS");
    assert_eq!(platform.message_file(), Some("/run/why".into()));
    // The program's own word comes later.
    assert_eq!(fitted(&platform.grace(20 * SECOND)).0, 20_000);

    let unknown = recognised(&variables[1..]).unwrap();
    assert_eq!((unknown.name(), fitted(&unknown).1), ("unknown", 58_000));
    for text in ["60s", "-1", "1.5", "99999999999999999999"] {
        let platform = recognised(&[("TASK_GRACE_SECONDS", text)]).unwrap();
        assert_eq!(platform.grace, Grace::Variable(text.into()));
        let error = platform.fit(SetTimes::default(), DROP).unwrap_err();
        assert!(error.is_no_number());
        let expected =
            format!("TASK_GRACE_SECONDS is {text:?}, which is no whole number of seconds");
        assert_eq!(error.to_string(), expected);
    }
}
