//! The readiness of one task, and tasks that start once others are ready.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use task_manager::{
    CauseKind, Context, FailureKind, Manager, NotReadyError, Outcome, Phase, Task, TaskHandle,
    Timeout, start_after, task_fn,
};
use tokio::time::{Instant, sleep, timeout};

use crate::support::{SECOND, worker};

/// Is ready after this many seconds, and works until it is stopped.
fn ready_in(name: &'static str, seconds: u32) -> impl Task {
    task_fn(name, async move |ctx: Context| {
        ctx.or_cancelled(sleep(seconds * SECOND)).await?;
        ctx.set_ready(true);
        ctx.cancelled().await;
        Ok(())
    })
}

/// Ends after this many seconds, and never says that it is ready.
fn ends_in(name: &'static str, seconds: u32) -> impl Task {
    task_fn(name, async move |ctx: Context| Ok(ctx.or_cancelled(sleep(seconds * SECOND)).await?))
}

/// A task that says when it has started.
fn started() -> (impl Task, Arc<AtomicBool>) {
    let has_started = Arc::new(AtomicBool::new(false));
    let starts = Arc::clone(&has_started);
    let task = task_fn("server", async move |ctx: Context| {
        starts.store(true, Ordering::SeqCst);
        ctx.set_ready(true);
        ctx.cancelled().await;
        Ok(())
    });
    (task, has_started)
}

fn status(handle: &TaskHandle) -> String {
    handle.info().status.map(|status| status.to_string()).unwrap_or_default()
}

/// The output of a future that must not wait for ever, on the paused clock.
async fn within_a_minute<F: Future>(future: F) -> F::Output {
    timeout(60 * SECOND, future).await.unwrap()
}

/// Invariant 12.
#[tokio::test(start_paused = true)]
async fn one_task_is_awaited_until_it_is_ready_whether_or_not_it_gates() {
    let manager = Manager::new();
    let slow = manager.run(ready_in("slow", 3)).unwrap();
    let other = manager.run(ready_in("other", 1)).unwrap();
    let began = Instant::now();
    within_a_minute(slow.ready()).await.unwrap();
    assert_eq!(began.elapsed(), 3 * SECOND);
    within_a_minute(slow.ready()).await.unwrap();
    within_a_minute(other.ready()).await.unwrap();
    assert_eq!(began.elapsed(), 3 * SECOND, "at once");
    within_a_minute(manager.shutdown()).await.unwrap();
    let error = within_a_minute(slow.ready()).await.unwrap_err();
    assert_eq!(error.to_string(), "task `slow` completed and is not ready");
}

/// Invariant 12.
#[tokio::test(start_paused = true)]
async fn a_task_that_ends_before_it_is_ready_is_a_typed_error_unless_its_clean_end_is_allowed() {
    let manager = Manager::builder().shutdown_timeout(20 * SECOND).build().unwrap();
    let job = manager.run_ephemeral(ends_in("job", 1)).unwrap();
    within_a_minute(job.ready()).await.unwrap();
    let stopped = manager.run_ephemeral(ends_in("stopped", 100)).unwrap();
    let waiting = tokio::spawn({
        let stopped = stopped.clone();
        async move { stopped.ready().await }
    });
    tokio::task::yield_now().await;
    stopped.stop();
    let error: NotReadyError = within_a_minute(waiting).await.unwrap().unwrap_err();
    assert_eq!((error.task(), error.outcome()), (Some("stopped"), Some(Outcome::Cancelled)));
    let fails = task_fn("fails", async |ctx: Context| {
        ctx.set_ready(true);
        anyhow::bail!("no disk")
    });
    let fails = manager.run(fails).unwrap();
    assert_eq!(fails.ended().await, Outcome::Failed);
    let error = within_a_minute(fails.ready()).await.unwrap_err();
    assert_eq!(error.outcome(), Some(Outcome::Failed), "it was ready, and is no more");
    within_a_minute(manager.wait()).await.unwrap_err();

    let manager = Manager::builder().only_failures_stop().build().unwrap();
    let critical = manager.run(ends_in("critical", 1)).unwrap();
    within_a_minute(critical.ready()).await.unwrap();
    within_a_minute(manager.wait()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_task_that_failed_and_is_still_held_is_not_ready() {
    let manager = Manager::new();
    let task = task_fn("held", async |ctx: Context| {
        ctx.set_ready(true);
        let hold = ctx.hold();
        tokio::spawn(async move {
            sleep(SECOND).await;
            drop(hold);
        });
        anyhow::bail!("no disk")
    });
    let task = manager.run(task).unwrap();
    tokio::task::yield_now().await;
    let began = Instant::now();
    assert_eq!(within_a_minute(task.ready()).await.unwrap_err().outcome(), Some(Outcome::Failed));
    assert_eq!(began.elapsed(), SECOND);
    within_a_minute(manager.wait()).await.unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn a_wait_for_one_task_is_woken_by_that_task_alone() {
    let manager = Manager::new();
    let slow = manager.run(ready_in("slow", 2)).unwrap();
    let waiting = tokio::spawn(async move {
        let mut polls = 0;
        let mut ready = std::pin::pin!(slow.ready());
        let result = std::future::poll_fn(|cx| {
            polls += 1;
            ready.as_mut().poll(cx)
        });
        result.await.map(|()| polls)
    });
    for _ in 0..100 {
        manager.run_ephemeral(ends_in("job", 0)).unwrap().ended().await;
    }
    let polls = within_a_minute(waiting).await.unwrap().unwrap();
    assert!(polls <= 2, "{polls}");
    within_a_minute(manager.shutdown()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_task_starts_once_each_of_the_others_has_been_ready() {
    let manager = Manager::new();
    let database = manager.run(ready_in("database", 1)).unwrap();
    let cache = manager.run(ready_in("cache", 3)).unwrap();
    let migration = manager.run_ephemeral(ends_in("migration", 2)).unwrap();
    let (server, has_started) = started();
    let server = start_after([&database, &cache, &migration], server).gating_readiness();
    let server = manager.run(server.in_phase(Phase::INGRESS)).unwrap();
    assert_eq!((&*server.name(), server.info().phase), ("server", Phase::INGRESS));
    let mut seen = Vec::new();
    for _ in 0..3 {
        sleep(SECOND / 2).await;
        seen.push((has_started.load(Ordering::SeqCst), status(&server)));
        sleep(SECOND / 2).await;
    }
    let waiting = |names: &str| (false, format!("waiting for: {names}"));
    assert_eq!(
        seen,
        [waiting("database, cache, migration"), waiting("cache, migration"), waiting("cache"),]
    );
    within_a_minute(manager.ready()).await.unwrap();
    assert_eq!((has_started.load(Ordering::SeqCst), &*status(&server)), (true, ""));
    within_a_minute(manager.shutdown()).await.unwrap();
}

/// Invariant 4.
#[tokio::test(start_paused = true)]
async fn a_waiting_task_is_counted_and_stopped_as_any_other_and_never_starts() {
    let manager = Manager::new();
    let database = manager.run(ready_in("database", 100)).unwrap();
    let (server, has_started) = started();
    let server = manager.run(start_after([&database], server)).unwrap();
    sleep(SECOND).await;
    assert_eq!(manager.group().snapshot().tasks.len(), 2);
    let report = within_a_minute(manager.shutdown()).await.unwrap();
    assert_eq!(server.outcome(), Some(Outcome::Cancelled));
    assert!(!has_started.load(Ordering::SeqCst));
    assert_eq!((report.totals().started, report.totals().cancelled), (2, 2));
    let listed = report.tasks().iter().find(|task| task.name == "server").unwrap();
    assert_eq!(listed.status.as_deref(), Some("waiting for: database"));
}

/// Invariant 2.
#[tokio::test(start_paused = true)]
async fn a_failure_of_what_is_waited_for_is_the_only_failure_in_the_report() {
    // The server is stopped later than the database fails: it waits for that.
    let manager = Manager::builder().drain_delay(5 * SECOND).build().unwrap();
    manager.run(worker("ingress").in_phase(Phase::INGRESS)).unwrap();
    let fails = task_fn("database", async |_| {
        sleep(SECOND).await;
        anyhow::bail!("no route to host")
    });
    let database = manager.run(fails).unwrap();
    let (server, has_started) = started();
    let server = manager.run(start_after([&database], server)).unwrap();
    let error = within_a_minute(manager.wait()).await.unwrap_err();
    assert_eq!(server.outcome(), Some(Outcome::Cancelled));
    assert!(!has_started.load(Ordering::SeqCst));
    let report = error.report().unwrap();
    assert_eq!(report.failures().len(), 1, "{report}");
    assert_eq!(report.failures()[0].name, "database");
    assert_eq!(report.steps().stopping - report.steps().triggered, 5 * SECOND);
}

/// Invariant 2.
#[tokio::test(start_paused = true)]
async fn an_end_that_stops_nothing_fails_the_task_that_waits_for_it() {
    let manager = Manager::new();
    let database = manager.run_ephemeral(ready_in("database", 100)).unwrap();
    let (server, has_started) = started();
    manager.run(start_after([&database], server)).unwrap();
    sleep(SECOND).await;
    database.stop();
    let error = within_a_minute(manager.wait()).await.unwrap_err();
    assert!(!has_started.load(Ordering::SeqCst));
    let failure = error.root().unwrap();
    assert_eq!(failure.name, "server");
    let FailureKind::Error(reason) = &failure.kind else { panic!("{failure}") };
    let reason = reason.downcast_ref::<NotReadyError>().unwrap();
    assert_eq!((reason.task(), reason.outcome()), (Some("database"), Some(Outcome::Cancelled)));
}

#[tokio::test(start_paused = true)]
async fn the_start_timeout_names_who_is_not_ready_and_what_it_waits_for() {
    let manager = Manager::builder().start_timeout(5 * SECOND).build().unwrap();
    let database = manager.run(ready_in("database", 100)).unwrap();
    let cache = manager.run(ready_in("cache", 1)).unwrap();
    let (server, _) = started();
    manager.run(ready_in("other", 100).gating_readiness()).unwrap();
    let server = start_after([&database, &cache], server).gating_readiness();
    manager.run(server).unwrap();
    let error = within_a_minute(manager.wait()).await.unwrap_err();
    assert_eq!(error.report().unwrap().cause().kind, CauseKind::StartTimeout);
    assert_eq!(
        error.to_string(),
        "the start timed out: task `other` is not ready, \
         task `server` is not ready (waiting for: database)"
    );
}

/// Says when it is admitted.
struct Attaches(Arc<AtomicBool>);

impl Task for Attaches {
    fn stop_timeout(&self) -> Timeout {
        Timeout::After(SECOND)
    }

    fn admitted(&mut self, _: &Context) {
        self.0.store(true, Ordering::SeqCst);
    }

    async fn run(self, _: Context) -> anyhow::Result<()> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_waiting_task_is_admitted_at_once_with_the_properties_of_its_own() {
    let manager = Manager::new();
    let database = manager.run(ready_in("database", 100)).unwrap();
    let is_admitted = Arc::new(AtomicBool::new(false));
    let task = start_after([&database], Attaches(Arc::clone(&is_admitted)));
    assert_eq!(task.stop_timeout(), Timeout::After(SECOND));
    assert_eq!(manager.run(task).unwrap().name(), "Attaches");
    assert!(is_admitted.load(Ordering::SeqCst));
    within_a_minute(manager.shutdown()).await.unwrap();
}

/// Within a group no circle can be written. Through a nested group it can: its readiness is that of
/// the task that it is.
#[tokio::test(start_paused = true)]
async fn a_circle_through_a_nested_group_fails_the_task_that_closes_it() {
    // Who starts to wait last differs: the task in the nested group, or the outer one.
    for starts_late in [false, true] {
        let (outer, inner) = (Manager::new(), Manager::builder().name("inner").build().unwrap());
        let handle = inner.handle();
        inner.run(ready_in("gate", 100).gating_readiness()).unwrap();
        let inner = outer.run(inner.into_task()).unwrap();
        let between = outer.run(start_after([&inner], started().0.named("between"))).unwrap();
        if starts_late {
            sleep(SECOND).await;
        }
        let first = handle.run(start_after([&between], worker("first"))).unwrap();
        let server = start_after([&first], started().0).gating_readiness();
        handle.run(server).unwrap();
        let error = within_a_minute(outer.wait()).await.unwrap_err();
        let text = format!("{:#}", anyhow::Error::new(error));
        assert!(text.contains("in a circle"), "{text}");
    }
}

/// The circle is closed by the nested group's own start.
#[tokio::test(start_paused = true)]
async fn a_circle_that_a_nested_group_closes_when_it_starts_fails_a_task_of_it() {
    let (outer, inner) = (Manager::new(), Manager::builder().name("inner").build().unwrap());
    let handle = inner.handle();
    let database = outer.run(ready_in("database", 1)).unwrap();
    let inner = outer.run(start_after([&database], inner.into_task())).unwrap();
    let server = start_after([&inner], started().0).gating_readiness();
    let server = handle.run(server).unwrap();
    sleep(SECOND / 2).await;
    assert_eq!((status(&server), server.outcome()), ("waiting for: inner".into(), None));
    let began = Instant::now();
    let error = within_a_minute(outer.wait()).await.unwrap_err();
    assert_eq!((began.elapsed(), server.outcome()), (SECOND / 2, Some(Outcome::Failed)));
    assert_eq!(error.to_string(), "task `inner/server` failed");
}

#[tokio::test(start_paused = true)]
async fn a_task_of_a_nested_group_may_wait_for_the_outer_group_and_the_other_way_round() {
    let (outer, inner) = (Manager::new(), Manager::builder().name("inner").build().unwrap());
    let handle = inner.handle();
    let inner = outer.run(inner.into_task()).unwrap();
    let database = outer.run(ready_in("database", 1)).unwrap();
    let server = start_after([&database], started().0).gating_readiness();
    let server = handle.run(server).unwrap();
    let (last, has_started) = started();
    outer.run(start_after([&inner, &server], last)).unwrap();
    // One that its group's readiness does not wait for may wait for that.
    handle.run(start_after([&inner], worker("second"))).unwrap();
    let _ = timeout(2 * SECOND, outer.wait()).await;
    assert!(has_started.load(Ordering::SeqCst));
    within_a_minute(outer.shutdown()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_task_that_waits_for_none_starts_at_once_and_at_most_twenty_are_named() {
    let manager = Manager::new();
    let (server, has_started) = started();
    let server = manager.run(start_after([], server)).unwrap();
    tokio::task::yield_now().await;
    assert!(has_started.load(Ordering::SeqCst));
    assert_eq!(status(&server), "");
    let others: Vec<_> = (0..30).map(|_| manager.run(ready_in("a", 1)).unwrap()).collect();
    let last = manager.run(start_after(&others, worker("last"))).unwrap();
    tokio::task::yield_now().await;
    assert_eq!(status(&last).matches('a').count(), "waiting".matches('a').count() + 20);
    timeout(2 * SECOND, async {
        while !status(&last).is_empty() {
            sleep(SECOND / 10).await;
        }
    })
    .await
    .unwrap();
    within_a_minute(manager.shutdown()).await.unwrap();
}
