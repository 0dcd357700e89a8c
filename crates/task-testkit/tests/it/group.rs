//! The real manager with scripted stops and signals.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use task_core::{Context, Outcome, Phase, Task, scope::panic_text, task_fn};
use task_manager::CauseKind;
use task_testkit::{ReportAssertions as _, Signal, TestGroup, chaos, paused};
use tokio::time::Instant;

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// The message of a panic.
fn message(body: impl FnOnce()) -> String {
    panic_text(&*catch_unwind(AssertUnwindSafe(body)).unwrap_err()).to_owned()
}

#[test]
fn a_scripted_signal_stops_the_group_at_its_time_as_the_real_one_does() {
    let report = paused(async {
        TestGroup::new()
            .task(chaos::slow_stop(secs(2)))
            .signal_at(secs(5), Signal::Term)
            .run()
            .await
    });
    report.assert_clean().assert_cause("signal SIGTERM (task `signals`)");
    report.assert_order(&["slow_stop", "signals"]);
    assert_eq!(report.steps().triggered, secs(5));
    assert_eq!(report.steps().ended, secs(7));
}

#[test]
fn the_second_sigint_aborts_and_a_repeat_does_not_count() {
    let group = || TestGroup::new().task(chaos::hang()).signal_at(secs(5), Signal::Int);
    let took = |group: TestGroup| {
        let report = paused(group.run());
        report.assert_cause("signal SIGINT (task `signals`)").assert_stuck(&["hang"]);
        report.steps().ended - report.steps().triggered
    };
    let second = took(group().signal_at(secs(6), Signal::Int));
    assert!(second < secs(2), "{second:?}");
    let repeat = took(group().signal_at(ms(5200), Signal::Int));
    assert!(repeat > secs(20), "{repeat:?}");
    let other = took(group().signal_at(secs(6), Signal::Term));
    assert!(other > secs(20), "{other:?}");
}

#[test]
fn a_group_ends_by_itself_or_by_a_scripted_stop() {
    let report = paused(TestGroup::new().ephemeral(chaos::ends_after(secs(3))).run());
    assert_eq!(report.assert_clean().cause().kind, CauseKind::Completed);
    let report = paused(TestGroup::new().task(chaos::never_ready()).stop_at(secs(3)).run());
    report.assert_clean().assert_cause("stop was called");
    assert_eq!(report.steps().triggered, secs(3));
}

#[test]
fn a_group_that_is_started_can_be_used_and_waited_for() {
    paused(async {
        let start = Instant::now();
        let slow = task_fn("slow", async |ctx: Context| {
            tokio::time::sleep(secs(4)).await;
            ctx.set_ready(true);
            ctx.cancelled().await;
            Ok(())
        });
        let configured = TestGroup::new().manager(|manager| manager.name("shop"));
        let mut group = configured.task(slow.gating_readiness()).start();
        group.ready().await;
        assert_eq!(start.elapsed(), secs(4));
        group.manager().cleanup("pool", async || Ok(())).unwrap();
        assert_eq!(group.group().snapshot().name, "shop");
        group.stop();
        let report = group.ended().await;
        report.assert_order(&["slow", "pool"]).assert_outcome("pool", Outcome::Completed);
    });
}

#[test]
fn a_group_that_is_never_ready_fails_with_its_tasks() {
    let text = message(|| {
        paused(async {
            let group = TestGroup::new().task(chaos::never_ready().named("cache")).start();
            group.ready().await;
        });
    });
    assert!(text.starts_with("the group was never ready within 86400 s; it is running"), "{text}");
    assert!(text.contains("cache is running, not ready"), "{text}");
    let text = message(|| {
        paused(async {
            let group =
                TestGroup::new().task(chaos::fails_after(secs(1)).gating_readiness()).start();
            group.ready().await;
        });
    });
    assert!(text.starts_with("the group was never ready"), "{text}");
}

#[test]
fn a_group_that_nothing_stops_or_waits_for_fails_with_its_tasks() {
    let text = message(|| {
        paused(TestGroup::new().task(chaos::hang()).run());
    });
    assert!(text.contains("the group has not ended after 86400 s; it is running"), "{text}");
    assert!(text.contains("hang is running"), "{text}");
    let text = message(|| {
        paused(async { drop(TestGroup::new().task(chaos::hang()).start()) });
    });
    assert!(text.contains("a group was not waited for"), "{text}");
}

#[test]
fn settings_that_contradict_each_other_are_named() {
    let text = message(|| {
        paused(async {
            drop(TestGroup::new().manager(|it| it.shutdown_timeout(Duration::ZERO)).start());
        });
    });
    assert!(text.starts_with("the settings of the group: "), "{text}");
}

#[test]
fn tasks_are_stopped_in_the_order_of_their_phases() {
    let stop = |name: &'static str, phase| chaos::slow_stop(secs(1)).named(name).in_phase(phase);
    let report = paused(
        TestGroup::new()
            .task(stop("metrics", Phase::SUPPORT))
            .task(stop("worker", Phase::WORK))
            .task(stop("server", Phase::INGRESS))
            .stop_at(secs(1))
            .run(),
    );
    report.assert_clean().assert_order(&["server", "worker", "metrics"]);
}
