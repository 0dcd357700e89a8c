//! Every end of a task passes one choke point (invariant 1) and nothing is lost (invariant 2).

use std::io;

use anyhow::{Context as _, anyhow};
use task_manager::{
    Cancelled, CauseKind, Context, FailureKind, Manager, Outcome, Phase, Task, blocking_task,
    task_fn,
};

use crate::support::{Journal, SECOND, slow, worker};

#[tokio::test(start_paused = true)]
async fn first_error_stops_all_and_is_the_root_with_its_task_name() {
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
    assert_eq!(names, ["main", "other"], "job had ended before: {report}");
}

#[tokio::test(start_paused = true)]
async fn only_failures_stop_under_the_other_policy_and_completion_still_ends_it() {
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

#[tokio::test(start_paused = true)]
async fn cancelled_is_clean_only_by_type_and_only_when_this_task_is_cancelled() {
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
    let posing = manager
        .run(task_fn("posing", async |ctx| {
            ctx.cancelled().await;
            Err(anyhow!("disk full").context(Cancelled))
        }))
        .unwrap();
    manager.shutdown().await.unwrap_err();
    assert_eq!(posing.outcome(), Some(Outcome::Failed));
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_a_failure_with_message_and_place() {
    let manager = Manager::new();
    let sibling = manager.run(worker("sibling")).unwrap();
    manager.run(task_fn("bad", async |_| panic!("index {} out of range", 7))).unwrap();
    let error = manager.wait().await.unwrap_err();
    assert_eq!(sibling.outcome(), Some(Outcome::Completed));
    let FailureKind::Panic(panic) = &error.root().unwrap().kind else { panic!("{error}") };
    assert_eq!(panic.message, "index 7 out of range");
    assert!(panic.location.as_ref().unwrap().contains("ends.rs:"), "{panic}");
}

#[tokio::test(start_paused = true)]
async fn a_panic_while_the_future_is_built_is_a_failure_like_any_other() {
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

#[tokio::test(start_paused = true)]
async fn a_payload_that_is_no_text_and_panics_when_dropped_does_no_harm() {
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

#[tokio::test(start_paused = true)]
async fn a_panic_while_the_future_is_dropped_is_the_outcome_of_a_clean_end() {
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

#[tokio::test(start_paused = true)]
async fn a_panic_in_a_drop_on_the_way_out_takes_the_place_of_what_was_to_be_returned() {
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

#[tokio::test(start_paused = true)]
async fn an_error_whose_display_panics_does_no_harm() {
    #[derive(Debug)]
    struct Mute;
    impl std::fmt::Display for Mute {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            panic!("no words")
        }
    }
    impl std::error::Error for Mute {}
    let manager = Manager::new();
    manager.run(task_fn("mute", async |_| Err(Mute.into()))).unwrap();
    let error = manager.wait().await.unwrap_err();
    assert!(error.report().unwrap().to_string().contains("(its Display panicked)"));
}

#[tokio::test]
async fn a_blocking_task_ends_with_its_thread_and_its_panic_is_located() {
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

#[tokio::test(start_paused = true)]
async fn a_survived_failure_is_reported_and_the_group_goes_on() {
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

#[tokio::test(start_paused = true)]
async fn cancelled_is_a_failure_while_only_others_are_asked_to_end() {
    let manager = Manager::new();
    manager.run(slow("work", SECOND, &Journal::default())).unwrap();
    let hasty = async |ctx: Context| {
        ctx.draining().await;
        Err(Cancelled.into())
    };
    let probes = manager.run(task_fn("probes", hasty).in_phase(Phase::SUPPORT)).unwrap();
    let error = manager.shutdown().await.unwrap_err();
    assert_eq!(probes.outcome(), Some(Outcome::Failed));
    assert_eq!(error.to_string(), "task `probes` failed");
}
