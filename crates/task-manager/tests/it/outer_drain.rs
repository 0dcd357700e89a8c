//! A nested group during the drain of its outer group: it drains as long, and its own deadlines
//! count from its stop.

use task_manager::{Manager, Outcome, Phase, Step, Task};

use crate::{
    nesting::named,
    support::{Journal, SECOND, begin_wait, slow, unresponsive, worker},
};

/// A group whose drain alone is longer than the default shutdown timeout.
fn long_drain() -> Manager {
    Manager::builder()
        .name("outer")
        .shutdown_timeout(90 * SECOND)
        .drain_delay(60 * SECOND)
        .build()
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_nested_group_in_the_support_phase_runs_until_the_work_has_stopped() {
    let (outer, inner) = (named("outer"), named("ops"));
    let journal = Journal::default();
    inner.run(slow("metrics", SECOND, &journal)).unwrap();
    outer.run(inner.into_task().in_phase(Phase::SUPPORT)).unwrap();
    outer.run(slow("consumer", 16 * SECOND, &journal)).unwrap();
    tokio::time::sleep(SECOND).await;
    let report = outer.shutdown().await.unwrap();
    assert!(report.is_clean(), "{report}");
    let expected = ["consumer stopping", "consumer ended", "metrics stopping", "metrics ended"];
    assert_eq!(journal.read(), expected);
}

#[tokio::test(start_paused = true)]
async fn the_outer_drain_may_exceed_the_shutdown_timeout_of_the_nested_group() {
    let (outer, inner) = (long_drain(), named("ingest"));
    inner.run(worker("consumer")).unwrap();
    let nested = outer.run(inner.into_task()).unwrap();
    begin_wait(&outer);
    tokio::time::sleep(SECOND).await;
    outer.stop();
    tokio::time::sleep(59 * SECOND).await;
    assert_eq!(nested.outcome(), None);
    outer.wait().await.unwrap();
    assert_eq!(nested.outcome(), Some(Outcome::Completed));
}

#[tokio::test(start_paused = true)]
async fn a_nested_group_of_support_tasks_alone_drains_until_the_outer_drain_is_over() {
    let (outer, inner) = (long_drain(), named("ops"));
    inner.run(worker("probes").in_phase(Phase::SUPPORT)).unwrap();
    let nested = outer.run(inner.into_task().in_phase(Phase::SUPPORT)).unwrap();
    outer.run(worker("consumer")).unwrap();
    begin_wait(&outer);
    tokio::time::sleep(SECOND).await;
    outer.stop();
    tokio::time::sleep(SECOND).await;
    assert_eq!((outer.group().step(), nested.outcome()), (Step::Draining, None));
    outer.wait().await.unwrap();
}

/// Invariant 3.
#[tokio::test(start_paused = true)]
async fn the_shutdown_timeout_of_a_nested_group_counts_from_the_outer_stop() {
    let outer = long_drain();
    let inner =
        Manager::builder().name("ingest").shutdown_timeout(5 * SECOND).cleanup_timeout(SECOND);
    let inner = inner.build().unwrap();
    inner.run(unresponsive("unresponsive")).unwrap();
    outer.run(inner.into_task()).unwrap();
    begin_wait(&outer);
    tokio::time::sleep(SECOND).await;
    let began = tokio::time::Instant::now();
    let error = outer.shutdown().await.unwrap_err();
    let stopped = began.elapsed() - 60 * SECOND;
    assert!(stopped > 3 * SECOND && stopped <= 5 * SECOND, "{stopped:?}");
    assert_eq!(
        error.to_string(),
        "task `ingest/unresponsive` was aborted at its deadline (phase WORK had 4.75 s)"
    );
}
