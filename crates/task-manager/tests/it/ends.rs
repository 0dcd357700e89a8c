//! How the ends of tasks are judged, by return, error and panic, and what they do to the group.

use std::io;

use anyhow::{Context as _, anyhow};
use task_manager::{
    Cancelled, CauseKind, Context, FailureKind, Manager, Outcome, Phase, Task, any_error,
    blocking_task, task_fn,
};

use crate::support::{Journal, SECOND, slow, worker};

/// FAILURES 1.
#[tokio::test(start_paused = true)]
async fn the_first_error_stops_the_group_and_is_the_root_with_the_name_of_its_task() {
    let manager = Manager::new();
    let other = manager.run(worker("other")).unwrap();
    manager.run(task_fn("consumer", async |_| Err(io::Error::other("no broker").into()))).unwrap();
    let error = manager.wait().await.unwrap_err();
    assert_eq!(error.to_string(), "task `consumer` failed");
    assert_eq!(
        format!("{:#}", anyhow::Error::new(error.clone())),
        "task `consumer` failed: no broker"
    );
    assert!(error.downcast_ref::<io::Error>().is_some());
    assert_eq!(other.ended().await, Outcome::Completed);
    let cause = &error.report().unwrap().cause().kind;
    assert_eq!(cause.to_string(), "task `consumer` failed");
    assert_eq!(error.exit_code(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_downcast_of_the_wait_s_error_looks_into_the_box_of_the_root() {
    type Boxed = Box<dyn std::error::Error + Send + Sync>;
    let no_disk = || io::Error::other("no disk");
    for error in [
        any_error(no_disk()),
        any_error(Boxed::from(no_disk())),
        any_error(Boxed::from(no_disk())).context("flushing"),
    ] {
        let manager = Manager::new();
        manager.run(task_fn("store", async move |_| Err(error))).unwrap();
        let error = manager.wait().await.unwrap_err();
        let found = error.downcast_ref::<io::Error>();
        assert_eq!(found.map(ToString::to_string).as_deref(), Some("no disk"), "{error:?}");
        assert!(error.downcast_ref::<std::fmt::Error>().is_none());
    }
}

/// Invariant 2. FAILURES 2.
#[tokio::test(start_paused = true)]
async fn an_error_during_the_shutdown_is_listed_and_replaces_nothing() {
    let manager = Manager::new();
    manager
        .run(task_fn("late", async |ctx| {
            ctx.cancelled().await;
            Err(anyhow!("flush failed"))
        }))
        .unwrap();
    manager.run(task_fn("first", async |_| Err(anyhow!("root")))).unwrap();
    let error = manager.wait().await.unwrap_err();
    assert_eq!(error.to_string(), "task `first` failed (+1 more)");
    let names: Vec<_> =
        error.report().unwrap().failures().iter().map(|failure| &*failure.name).collect();
    assert_eq!(names, ["first", "late"]);
}

/// FAILURES 4.
#[tokio::test(start_paused = true)]
async fn a_critical_task_that_ends_stops_the_group_and_an_ephemeral_one_does_not() {
    let manager = Manager::new();
    let ephemeral = manager.run_ephemeral(task_fn("job", async |_| Ok(()))).unwrap();
    let critical = manager
        .run(task_fn("main", async |_| {
            tokio::time::sleep(SECOND).await;
            Ok(())
        }))
        .unwrap();
    let other = manager.run(worker("other")).unwrap();
    assert_eq!(ephemeral.ended().await, Outcome::Completed);
    assert_eq!(critical.outcome(), None);
    let report = manager.wait().await.unwrap();
    assert_eq!(report.cause().to_string(), "task `main` completed");
    assert_eq!(other.outcome(), Some(Outcome::Completed));
    assert_eq!(report.totals().started, 3);
    let names: Vec<_> = report.tasks().iter().map(|task| &*task.name).collect();
    assert_eq!(names, ["main", "other"], "job had ended before the trigger: {report}");
}

/// FAILURES 4.
#[tokio::test(start_paused = true)]
async fn under_only_failures_stop_clean_ends_do_not_stop_the_group_and_it_completes() {
    let manager = Manager::builder().only_failures_stop().build().unwrap();
    manager.run(task_fn("short", async |_| Ok(()))).unwrap();
    manager
        .run(task_fn("long", async |_| {
            tokio::time::sleep(SECOND).await;
            Ok(())
        }))
        .unwrap();
    let report = manager.wait().await.unwrap();
    assert_eq!(report.cause().kind, CauseKind::Completed);
}

/// FAILURES 6.
#[tokio::test(start_paused = true)]
async fn a_cancelled_error_is_clean_only_by_type_and_only_if_its_task_is_cancelled() {
    let manager = Manager::new();
    let clean = manager
        .run(task_fn("clean", async |ctx| {
            ctx.or_cancelled(std::future::pending::<()>()).await.context("reading")?;
            Ok(())
        }))
        .unwrap();
    manager.stop();
    manager.wait().await.unwrap();
    assert_eq!(clean.outcome(), Some(Outcome::Cancelled));

    let manager = Manager::new();
    let premature = manager.run(task_fn("premature", async |_| Err(Cancelled.into()))).unwrap();
    manager.wait().await.unwrap_err();
    assert_eq!(premature.outcome(), Some(Outcome::Failed));

    let manager = Manager::new();
    let wrapped = manager
        .run(task_fn("wrapped", async |ctx| {
            ctx.cancelled().await;
            Err(anyhow!("disk full").context(Cancelled))
        }))
        .unwrap();
    manager.shutdown().await.unwrap_err();
    assert_eq!(wrapped.outcome(), Some(Outcome::Failed));
}

/// Invariant 1. FAILURES 7.
#[tokio::test(start_paused = true)]
async fn a_panic_is_a_failure_with_its_message_and_location() {
    let manager = Manager::new();
    let sibling = manager.run(worker("sibling")).unwrap();
    manager.run(task_fn("bad", async |_| panic!("index {} out of range", 7))).unwrap();
    let error = manager.wait().await.unwrap_err();
    assert_eq!(sibling.outcome(), Some(Outcome::Completed));
    let FailureKind::Panic(panic) = &error.root().unwrap().kind else { panic!("{error}") };
    assert_eq!(panic.message, "index 7 out of range");
    assert!(panic.location.as_ref().unwrap().contains("ends.rs:"), "{panic}");
}

/// Invariant 1. FAILURES 12.
#[tokio::test(start_paused = true)]
async fn a_panic_while_the_future_is_built_is_a_failure_of_the_task() {
    struct Builds;
    impl Task for Builds {
        #[allow(clippy::manual_async_fn)]
        fn run(self, _: Context) -> impl Future<Output = anyhow::Result<()>> + Send {
            assert!(std::hint::black_box(false), "not built");
            async { Ok(()) }
        }
    }
    let manager = Manager::new();
    manager.run(Builds).unwrap();
    let error = manager.wait().await.unwrap_err();
    assert!(error.to_string().contains("task `Builds` panicked"), "{error}");
}

/// Invariants 1 and 9. FAILURES 8.
#[tokio::test(start_paused = true)]
async fn a_panic_payload_that_is_not_text_and_panics_on_drop_is_contained() {
    struct Nasty;
    impl Drop for Nasty {
        fn drop(&mut self) {
            panic!("dropped");
        }
    }
    let manager = Manager::new();
    manager.run(task_fn("nasty", async |_| std::panic::panic_any(Nasty))).unwrap();
    let error = manager.wait().await.unwrap_err();
    let FailureKind::Panic(panic) = &error.root().unwrap().kind else { panic!("{error}") };
    assert_eq!(panic.message, "(a payload that is no text)");
}

/// Invariant 1. FAILURES 9.
#[tokio::test(start_paused = true)]
async fn a_panic_while_the_future_of_a_stopped_task_is_dropped_is_its_outcome() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("in drop");
        }
    }
    let manager = Manager::new();
    let task = manager
        .run(task_fn("bomb", async |_| {
            let _bomb = Bomb;
            std::future::pending::<()>().await;
            Ok(())
        }))
        .unwrap();
    manager.stop();
    let error = manager.wait().await.unwrap_err();
    assert_eq!(task.outcome(), Some(Outcome::Panicked));
    assert!(error.to_string().contains("in drop"), "{error}");
}

/// Invariant 1. FAILURES 9.
#[tokio::test(start_paused = true)]
async fn a_panic_in_a_drop_at_the_return_replaces_the_result_of_the_task() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("in drop");
        }
    }
    for result in [Ok(()), Err(anyhow!("no broker"))] {
        let manager = Manager::new();
        let task = manager.run(task_fn("bad", async move |_| {
            let _bomb = Bomb;
            result
        }));
        let error = manager.wait().await.unwrap_err();
        assert_eq!(task.unwrap().outcome(), Some(Outcome::Panicked));
        assert!(error.to_string().contains("in drop"), "{error}");
        assert_eq!(error.report().unwrap().failures().len(), 1);
    }
}

/// Invariant 9. FAILURES 16.
#[tokio::test(start_paused = true)]
async fn an_error_whose_display_panics_is_reported_with_a_placeholder() {
    #[derive(Debug)]
    struct Mute;
    impl std::fmt::Display for Mute {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            panic!("no text")
        }
    }
    impl std::error::Error for Mute {}
    let manager = Manager::new();
    manager.run(task_fn("mute", async |_| Err(Mute.into()))).unwrap();
    let error = manager.wait().await.unwrap_err();
    assert!(error.report().unwrap().to_string().contains("(its Display panicked)"));
}

/// Invariant 1. FAILURES 7.
#[tokio::test]
async fn a_blocking_task_ends_with_its_thread_and_its_panic_has_a_location() {
    let manager = Manager::new();
    manager
        .run(blocking_task("blocking", |ctx| {
            while !ctx.wait_cancelled(SECOND) {}
            panic!("from the thread");
        }))
        .unwrap();
    manager.stop();
    let error = manager.wait().await.unwrap_err();
    let FailureKind::Panic(panic) = &error.root().unwrap().kind else { panic!("{error}") };
    assert_eq!(panic.message, "from the thread");
    assert!(panic.location.as_ref().unwrap().contains("ends.rs"), "{panic}");
}

/// Invariants 2 and 10.
#[tokio::test(start_paused = true)]
async fn a_survived_failure_is_reported_and_the_group_goes_on_running() {
    let manager = Manager::new();
    manager
        .run_ephemeral(task_fn("retrying", async |ctx| {
            for attempt in 0..100 {
                ctx.record_failure(anyhow!("attempt {attempt}"));
                ctx.record_restart();
            }
            tokio::time::sleep(SECOND).await;
            Ok(())
        }))
        .unwrap();
    let error = manager.wait().await.unwrap_err();
    let report = error.report().unwrap();
    assert_eq!(report.cause().kind, CauseKind::Completed);
    assert_eq!(report.failures().len(), 65, "the first and the last 64");
    assert_eq!(report.omitted_failures(), 35);
    assert!(report.failures()[0].to_string().ends_with("attempt 0"));
    assert!(report.failures()[64].to_string().ends_with("attempt 99"));
}

/// FAILURES 6.
#[tokio::test(start_paused = true)]
async fn a_cancelled_error_is_a_failure_while_only_other_phases_are_stopped() {
    let manager = Manager::new();
    manager.run(slow("work", SECOND, &Journal::default())).unwrap();
    let early = async |ctx: Context| {
        ctx.draining().await;
        Err(Cancelled.into())
    };
    let probes = manager.run(task_fn("probes", early).in_phase(Phase::SUPPORT)).unwrap();
    let error = manager.shutdown().await.unwrap_err();
    assert_eq!(probes.outcome(), Some(Outcome::Failed));
    assert_eq!(error.to_string(), "task `probes` failed");
}
