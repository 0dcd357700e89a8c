//! Assertions on a report, and its redacted text.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use task_core::{Context, Outcome, Task, scope::panic_text, task_fn};
use task_manager::Report;
use task_testkit::{ReportAssertions as _, TestGroup, chaos, paused};

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// A group with an end of each kind.
fn report() -> Report {
    paused(async {
        let consumer = task_fn("consumer", async |ctx: Context| {
            ctx.cancelled().await;
            tokio::time::sleep(secs(2)).await;
            anyhow::bail!("lost the broker at 0x7f00aa after 3 s")
        });
        let mut group = TestGroup::new()
            .manager(|manager| manager.name("shop"))
            .task(chaos::slow_stop(secs(1)).named("server"))
            .task(consumer)
            .task(chaos::hang().named("exporter"))
            .stop_at(secs(9))
            .start();
        group.manager().cleanup("pool", async || Ok(())).unwrap();
        group.manager().cleanup("spool", async || anyhow::bail!("no disk")).unwrap();
        group.ended().await
    })
}

#[test]
fn what_is_so_is_asserted() {
    report()
        .assert_cause("stop was called")
        .assert_failure("consumer", "lost the broker")
        .assert_failure("spool", "no disk")
        .assert_outcome("server", Outcome::Completed)
        .assert_outcome("exporter", Outcome::Aborted)
        .assert_outcome("spool", Outcome::Failed)
        .assert_stopped_within("consumer", secs(2))
        .assert_stuck(&["exporter"])
        .assert_order(&["server", "consumer", "exporter", "spool", "pool"])
        .assert_order(&["server", "pool"]);
}

#[test]
fn what_is_not_so_fails_with_the_report() {
    let report = report();
    for assertion in [
        |report: &Report| _ = report.assert_clean(),
        |report: &Report| _ = report.assert_cause("stop"),
        |report: &Report| _ = report.assert_failure("server", ""),
        |report: &Report| _ = report.assert_failure("consumer", "no disk"),
        |report: &Report| _ = report.assert_outcome("server", Outcome::Failed),
        |report: &Report| _ = report.assert_outcome("nothing", Outcome::Completed),
        |report: &Report| {
            _ = report.assert_stopped_within("consumer", Duration::from_millis(1999));
        },
        |report: &Report| _ = report.assert_stopped_within("nothing", secs(9)),
        |report: &Report| _ = report.assert_stuck(&[]),
        |report: &Report| _ = report.assert_stuck(&["exporter", "server"]),
        |report: &Report| _ = report.assert_order(&["consumer", "server"]),
        |report: &Report| _ = report.assert_order(&["nothing"]),
    ] {
        let panic = catch_unwind(AssertUnwindSafe(|| assertion(&report))).unwrap_err();
        let text = panic_text(&*panic);
        assert!(text.starts_with("expected that the report "), "{text}");
        assert!(text.contains(&report.to_string()), "{text}");
        assert!(text.contains("the last status of `server`: stopping slowly"), "{text}");
    }
}

#[test]
fn the_redacted_text_has_what_happened_and_nothing_that_differs() {
    let text = report().redacted();
    assert_eq!(text, report().redacted());
    let (mut lines, whole) = (text.lines(), &text);
    assert_eq!(lines.next(), Some("shop: 3 failures"));
    assert_eq!(lines.next(), Some("cause: stop was called"));
    let rest = [
        "failure: task `consumer` failed: lost the broker at … after …",
        "task server: completed",
        "task consumer: failed",
        "task exporter: aborted",
        "cleanup spool: failed",
        "cleanup pool: completed",
    ];
    for line in rest {
        assert!(lines.any(|it| it == line), "{line} in\n{whole}");
    }
    assert!(!text.contains(" s)") && !text.contains(" s "), "{text}");
}
