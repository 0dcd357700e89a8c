//! Escalations of a shutdown.

use std::time::Duration;

use task_manager::{
    CauseKind, Context, Escalation, Manager, Outcome, Phase, Step, Task, Timeout, task_fn,
};
use tokio::time::Instant;

use crate::support::{Journal, SECOND, begin_wait, slow, unresponsive};

#[tokio::test(start_paused = true)]
async fn an_escalation_ends_the_drain_at_once_and_leaves_each_task_its_time_to_stop() {
    let manager = Manager::builder().drain_delay(10 * SECOND).build().unwrap();
    manager.run(slow("work", 9 * SECOND, &Journal::default())).unwrap();
    let escalating = async |ctx: Context| {
        ctx.draining().await;
        tokio::time::sleep(2 * SECOND).await;
        ctx.escalate(Escalation::EndDrain);
        assert!(!ctx.is_cancelled(), "its phase comes later");
        ctx.cancelled().await;
        Ok(())
    };
    manager.run(task_fn("signals", escalating).in_phase(Phase::SUPPORT)).unwrap();
    begin_wait(&manager);
    let report = manager.shutdown().await.unwrap();
    let steps = report.steps();
    assert_eq!(steps.stopping - steps.triggered, 2 * SECOND);
    assert_eq!(steps.ended - steps.stopping, 9 * SECOND);
    assert_eq!(report.cause().kind, CauseKind::Stopped);
    let later: Vec<_> = report.later_triggers().iter().map(ToString::to_string).collect();
    assert_eq!(later, ["shutdown escalated (task `signals`)"]);
}

#[tokio::test(start_paused = true)]
async fn an_escalation_of_a_running_group_begins_its_shutdown_without_a_drain() {
    let manager = Manager::builder().drain_delay(10 * SECOND).build().unwrap();
    manager.run(slow("work", SECOND, &Journal::default())).unwrap();
    let escalating = async |ctx: Context| {
        ctx.escalate(Escalation::EndDrain);
        Ok(())
    };
    manager.run_ephemeral(task_fn("signals", escalating)).unwrap();
    let report = manager.wait().await.unwrap();
    assert_eq!(report.cause().to_string(), "shutdown escalated (task `signals`)");
    assert_eq!(report.steps().ended - report.steps().triggered, SECOND);
}

/// Invariant 3.
#[tokio::test(start_paused = true)]
async fn an_abort_escalation_ends_drain_and_stop_at_once_and_shortens_the_cleanups() {
    let manager = Manager::builder().drain_delay(10 * SECOND).build().unwrap();
    manager.run(unresponsive("unresponsive")).unwrap();
    manager.cleanup("slow", async || std::future::pending().await).unwrap();
    manager
        .run(
            task_fn("signals", async |ctx: Context| {
                ctx.request_stop("signal SIGINT");
                tokio::time::sleep(SECOND).await;
                ctx.escalate(Escalation::Abort);
                ctx.cancelled().await;
                Ok(())
            })
            .in_phase(Phase::SUPPORT),
        )
        .unwrap();
    let began = Instant::now();
    let error = manager.wait().await.unwrap_err();
    let report = error.report().unwrap();
    assert_eq!(report.cause().to_string(), "signal SIGINT (task `signals`)");
    // 250 ms until the work has ended or is aborted and dropped, and 1 s for the cleanup, less the
    // 250 ms in which it would be dropped.
    assert_eq!(began.elapsed(), Duration::from_millis(1_000 + 250 + 750), "{report}");
    let aborted: Vec<_> = report.failures().iter().map(|failure| &*failure.name).collect();
    assert_eq!(aborted, ["unresponsive", "slow"], "the signal task had time to end");
}

/// FAILURES 41.
#[tokio::test(start_paused = true)]
async fn without_a_shutdown_timeout_an_escalation_aborts_and_cleanups_keep_their_budget() {
    let manager = Manager::builder().shutdown_timeout(Timeout::Never).build().unwrap();
    manager.cleanup("hangs", async || std::future::pending().await).unwrap();
    let escalating = async |ctx: Context| {
        ctx.cancelled().await;
        assert_eq!(ctx.remaining(), None);
        tokio::time::sleep(1_000 * SECOND).await;
        ctx.escalate(Escalation::Abort);
        Ok(())
    };
    manager.run(task_fn("signals", escalating)).unwrap();
    manager.run(unresponsive("unresponsive")).unwrap();
    let error = manager.shutdown().await.unwrap_err();
    let report = error.report().unwrap();
    let names: Vec<_> = report.failures().iter().map(|failure| &*failure.name).collect();
    assert_eq!(names, ["unresponsive", "hangs"]);
    assert_eq!(report.steps().ended.as_secs(), 1_000, "{report}");
    assert_eq!(report.steps().budget, None);

    let manager = Manager::builder().shutdown_timeout(Timeout::Never).build().unwrap();
    manager.cleanup("hangs", async || std::future::pending().await).unwrap();
    let error = manager.shutdown().await.unwrap_err();
    let took = error.report().unwrap().steps().ended;
    assert_eq!(took, Duration::from_millis(4_750), "5 s less 250 ms to be dropped");
}

/// Invariant 3.
#[tokio::test(start_paused = true)]
async fn after_an_abort_escalation_cleanups_share_the_escalated_cleanup_timeout() {
    let manager = Manager::builder().escalated_cleanup_timeout(SECOND / 2).build().unwrap();
    for name in ["second", "first"] {
        manager
            .cleanup(name, async || {
                std::future::pending::<()>().await;
                Ok(())
            })
            .unwrap();
    }
    let escalating = async |ctx: Context| {
        ctx.escalate(Escalation::Abort);
        Ok(())
    };
    manager.run(task_fn("signals", escalating)).unwrap();
    let began = Instant::now();
    let error = manager.wait().await.unwrap_err();
    let took = began.elapsed();
    assert!(took <= SECOND / 2 + SECOND / 100, "{took:?}");
    let report = error.report().unwrap();
    let outcomes = report.cleanups().iter().map(|cleanup| cleanup.outcome);
    assert!(outcomes.eq([Some(Outcome::Aborted); 2]), "{report}");
}

/// Invariant 3: two levels below, and though nothing limits the nested shutdowns themselves.
#[tokio::test(start_paused = true)]
async fn an_abort_escalation_aborts_the_tasks_of_nested_groups_at_the_same_time() {
    let outer = Manager::builder().shutdown_timeout(600 * SECOND).build().unwrap();
    let nested = || Manager::builder().shutdown_timeout(Timeout::Never).build().unwrap();
    let (middle, inner) = (nested(), nested());
    let task = inner.run(unresponsive("unresponsive")).unwrap();
    let mut ends = inner.group();
    middle.run(inner.into_task()).unwrap();
    outer.run(middle.into_task()).unwrap();
    outer
        .run(task_fn("signals", async |ctx: Context| {
            ctx.cancelled().await;
            tokio::time::sleep(SECOND).await;
            ctx.escalate(Escalation::Abort);
            Ok(())
        }))
        .unwrap();
    tokio::time::sleep(SECOND).await;
    let began = Instant::now();
    let error = outer.shutdown().await.unwrap_err();
    assert!(began.elapsed() < 3 * SECOND, "{:?}", began.elapsed());
    assert_eq!(task.outcome(), Some(Outcome::Aborted), "and not abandoned: {error:?}");
    while ends.step() != Step::Ended {
        ends.changed().await;
    }
    assert!(began.elapsed() < 4 * SECOND, "{:?}", began.elapsed());
}
