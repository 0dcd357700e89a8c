//! Limits of the configuration and of the report; the report counts what it omits.

use std::time::Duration;

use anyhow::anyhow;
use task_manager::{Context, Manager, Phase, Timeout, task_fn};

use crate::support::{SECOND, worker};

#[test]
fn a_time_of_a_hundred_years_is_accepted_and_a_longer_one_is_an_error() {
    let longest = Duration::from_secs(100 * 365 * 24 * 60 * 60);
    let build =
        |drain| Manager::builder().shutdown_timeout(Timeout::Never).drain_delay(drain).build();
    drop(build(longest).unwrap());
    let error = build(longest + Duration::from_nanos(1)).unwrap_err();
    assert!(error.to_string().contains("`drain_delay` is over 100 years"), "{error}");
}

/// FAILURES 42.
#[test]
fn budgets_that_are_too_long_or_leave_no_time_to_stop_are_errors() {
    let builder = Manager::builder().shutdown_timeout(6 * SECOND + SECOND / 10);
    let builder = builder.drain_delay(SECOND).cleanup_timeout(5 * SECOND);
    drop(builder.clone().build().unwrap());
    let error = builder.cleanup_timeout(6 * SECOND).build().unwrap_err();
    assert_eq!(
        error.to_string(),
        "`shutdown_timeout` of 6.1s must exceed `drain_delay` of 1s plus `cleanup_timeout` of 6s by \
         at least 100ms"
    );
    assert!(error.is_no_time_to_stop() && !error.is_too_long());
    let phase = Manager::builder().phase_timeout(Phase::WORK, Duration::MAX);
    let error = phase.clone().build().unwrap_err();
    assert!(error.to_string().contains("`phase_timeout` is over 100 years"), "{error}");
    drop(phase.phase_timeout(Phase::WORK, Timeout::Never).build().unwrap());
    let error = Manager::builder().escalated_cleanup_timeout(Duration::MAX).build().unwrap_err();
    assert!(error.to_string().contains("`escalated_cleanup_timeout` is over 100 years"), "{error}");
    let error = Manager::builder().drain_delay(Duration::MAX).build().unwrap_err();
    assert_eq!(error.to_string(), "`drain_delay` is over 100 years; use a shorter time");
    assert!(error.is_too_long() && !error.is_no_time_to_stop());
    let error = Manager::builder().shutdown_timeout(Duration::MAX).build().unwrap_err();
    assert_eq!(
        error.to_string(),
        "`shutdown_timeout` is over 100 years; use `Timeout::Never` or a shorter time"
    );
    let error = Manager::builder().cleanup_timeout(Duration::MAX).build().unwrap_err();
    assert!(error.to_string().contains("`cleanup_timeout` is over 100 years"), "{error}");
    let error = Manager::builder().start_timeout(Duration::MAX).build().unwrap_err();
    assert!(error.to_string().contains("`start_timeout` is over 100 years"), "{error}");
}

/// Docker and Cloud Run grant 10 s, Nomad and Fly 5 s.
#[test]
fn any_total_from_a_hundred_milliseconds_on_goes_with_the_defaults() {
    for millis in [100, 101, 150, 999, 1_000, 5_000, 5_100, 6_000, 10_000, 90_000] {
        let total = Duration::from_millis(millis);
        drop(Manager::builder().shutdown_timeout(total).build().unwrap());
        let drain = total - SECOND / 10;
        drop(Manager::builder().shutdown_timeout(total).drain_delay(drain).build().unwrap());
    }
    let error = Manager::builder().shutdown_timeout(Duration::from_millis(99)).build().unwrap_err();
    assert_eq!(
        error.to_string(),
        "`shutdown_timeout` of 99ms must exceed `drain_delay` of 0ns by at least 100ms"
    );
}

#[test]
fn a_telemetry_timeout_that_leaves_no_time_to_stop_is_an_error() {
    let builder = Manager::builder().shutdown_timeout(6 * SECOND).cleanup_timeout(SECOND);
    let longest = 5 * SECOND - SECOND / 10;
    drop(builder.clone().telemetry_timeout(longest).build().unwrap());
    let error = builder.telemetry_timeout(longest + SECOND).build().unwrap_err();
    assert_eq!(
        error.to_string(),
        "`shutdown_timeout` of 6s must exceed `drain_delay` of 0ns plus `cleanup_timeout` of 1s plus \
         `telemetry_timeout` of 5.9s by at least 100ms"
    );
    let error = Manager::builder().telemetry_timeout(Duration::MAX).build().unwrap_err();
    assert!(error.to_string().contains("`telemetry_timeout` is over 100 years"), "{error}");
}

/// Docker and Cloud Run grant 10 s, Nomad and Fly 5 s.
#[tokio::test]
async fn of_a_short_total_telemetry_has_at_most_a_fifth_of_what_is_not_set() {
    let millis = Duration::from_millis;
    for (total, drain, expected) in [
        (25 * SECOND, Duration::ZERO, 2 * SECOND),
        (8 * SECOND, Duration::ZERO, millis(1_580)),
        (4 * SECOND, Duration::ZERO, millis(780)),
        (8 * SECOND, 5 * SECOND, millis(580)),
        (SECOND / 10, Duration::ZERO, Duration::ZERO),
    ] {
        let manager =
            Manager::builder().shutdown_timeout(total).drain_delay(drain).build().unwrap();
        for name in ["traces", "metrics"] {
            manager.telemetry(name, |_| Ok(())).unwrap();
        }
        let report = manager.shutdown().await.unwrap();
        assert_eq!(report.steps().budget, Some(total - expected));
    }
}

/// Invariant 10.
#[tokio::test(start_paused = true)]
async fn of_more_tasks_than_the_limit_the_last_are_listed_and_the_others_are_counted() {
    let manager = Manager::new();
    for _ in 0..4_100 {
        manager.run(worker("worker")).unwrap();
    }
    let report = manager.shutdown().await.unwrap();
    assert_eq!((report.tasks().len(), report.omitted_tasks()), (4_096, 4));
    assert_eq!(report.totals().completed, 4_100);
    assert!(report.to_string().contains("\n  4100 other tasks took at most 0.0 ms"), "{report}");
}

/// Invariants 2 and 10.
#[tokio::test(start_paused = true)]
async fn failures_omitted_by_a_nested_group_are_counted_in_the_outer_report() {
    let outer = Manager::new();
    tokio::time::sleep(7 * SECOND).await;
    let inner = Manager::builder().name("ingest").build().unwrap();
    for number in 0..200 {
        let failing = async |ctx: Context| {
            ctx.cancelled().await;
            Err(anyhow!("broken"))
        };
        inner.run(task_fn(format!("consumer {number}"), failing)).unwrap();
    }
    outer.run(inner.into_task()).unwrap();
    tokio::time::sleep(SECOND).await;
    let error = outer.shutdown().await.unwrap_err();
    let report = error.report().unwrap();
    assert_eq!((report.failures().len(), report.omitted_failures()), (128, 72));
    let first = &report.failures()[0];
    assert_eq!((&*first.name, first.id), ("ingest/consumer 0", None));
    assert_eq!(first.at, 8 * SECOND, "by the clock of the outer group");
    assert_eq!(report.failures()[127].name, "ingest/consumer 199");
}
