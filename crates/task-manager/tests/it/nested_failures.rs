//! Failures of a nested group are in the outer report, however its task ends.

use std::{pin::pin, thread, time::Duration};

use anyhow::anyhow;
use task_manager::{Context, Escalation, Manager, ShutdownError, Step, Task, task_fn};

use crate::{
    nesting::named,
    support::{SECOND, unresponsive, workers},
};

fn failures(error: &ShutdownError) -> Vec<String> {
    error.report().unwrap().failures().iter().map(ToString::to_string).collect()
}

/// Invariant 2.
#[tokio::test(start_paused = true)]
async fn failures_of_a_nested_group_survive_a_supervisor_that_is_aborted_or_panics() {
    for panics in [false, true] {
        let outer = named("outer");
        let supervisor = async move |ctx: Context| {
            let inner = named("inner");
            inner.run(task_fn("bad", async |_| Err(anyhow!("no broker"))))?;
            inner.run(unresponsive("unresponsive"))?;
            let run = pin!(inner.into_task().run(ctx));
            assert!(tokio::time::timeout(SECOND, run).await.is_err());
            assert!(!panics, "a bug of the supervisor");
            std::future::pending().await
        };
        outer.run(task_fn("supervisor", supervisor)).unwrap();
        tokio::time::sleep(5 * SECOND).await;
        let failures = failures(&outer.shutdown().await.unwrap_err());
        let expected = "task `supervisor/bad` failed: no broker".to_owned();
        assert!(failures.contains(&expected), "panics: {panics}, {failures:?}");
    }
}

/// Invariant 2.
#[test]
fn failures_of_a_nested_group_survive_the_runtime_of_its_task() {
    let (own, other) = (workers(1), workers(1));
    let outer = own.block_on(async { named("outer") });
    let inner = other.block_on(async { named("inner") });
    {
        let _entered = own.enter();
        inner.run(unresponsive("unresponsive")).unwrap();
        inner.run(task_fn("bad", async |_| Err(anyhow!("no broker")))).unwrap();
    }
    let group = inner.group();
    {
        let _entered = other.enter();
        outer.run(inner.into_task()).unwrap();
    }
    while group.step() == Step::Running {
        thread::sleep(SECOND / 1_000);
    }
    // The one worker runs this after the task of the nested group.
    other.block_on(other.spawn(async {})).unwrap();
    other.shutdown_background();
    let failures = failures(&own.block_on(outer.wait()).unwrap_err());
    assert!(failures.contains(&"task `inner/bad` failed: no broker".into()), "{failures:?}");
}

/// Invariant 2. FAILURES 39.
#[tokio::test(start_paused = true)]
async fn failures_of_a_nested_group_survive_its_abort_by_the_outer_group() {
    let outer = Manager::builder()
        .name("outer")
        .shutdown_timeout(5 * SECOND)
        .cleanup_timeout(SECOND)
        .build()
        .unwrap();
    // The clock of the nested group begins later.
    tokio::time::sleep(7 * SECOND).await;
    let inner = named("ingest");
    let holding = async |ctx: Context| {
        // Held until after every deadline.
        let hold = ctx.hold();
        tokio::spawn(async move {
            tokio::time::sleep(60 * SECOND).await;
            drop(hold);
        });
        ctx.set_status("held");
        ctx.cancelled().await;
        Ok(())
    };
    inner.run(task_fn("held", holding)).unwrap();
    inner.run(task_fn("bad", async |_| Err(anyhow!("no")))).unwrap();
    inner
        .cleanup("slow", async || {
            tokio::time::sleep(60 * SECOND).await;
            Ok(())
        })
        .unwrap();
    outer.run(inner.into_task()).unwrap();
    tokio::time::sleep(SECOND).await;
    let error = outer.shutdown().await.unwrap_err();
    let names: Vec<_> =
        error.report().unwrap().failures().iter().map(ToString::to_string).collect();
    assert_eq!(
        names,
        [
            "task `ingest/bad` failed: no",
            "task `ingest/held` was abandoned with a hold on it still kept (phase WORK had 4.37 s; \
             held)",
            "cleanup `ingest/slow` was aborted at its deadline (it had 1.00 s)",
        ]
    );
    let failures = error.report().unwrap().failures();
    assert!(failures.iter().all(|failure| failure.id.is_none() && failure.at > 7 * SECOND));
}

/// Invariant 2.
#[tokio::test(start_paused = true)]
async fn failures_of_an_ended_nested_group_survive_a_task_that_does_not_poll_it_again() {
    let outer =
        Manager::builder().name("outer").shutdown_timeout(5 * SECOND).cleanup_timeout(SECOND);
    let outer = outer.build().unwrap();
    let inner = named("ingest");
    inner
        .run(task_fn("bad", async |_| {
            tokio::time::sleep(SECOND / 2).await;
            Err(anyhow!("no broker"))
        }))
        .unwrap();
    let nested = inner.into_task();
    // Polled once and not again, as if its next poll came after the deadline.
    let late = task_fn("late", async move |ctx: Context| {
        let mut run = Box::pin(nested.run(ctx));
        std::future::poll_fn(|cx| {
            assert!(run.as_mut().poll(cx).is_pending());
            std::task::Poll::Ready(())
        })
        .await;
        std::future::pending().await
    });
    outer.run(late).unwrap();
    tokio::time::sleep(SECOND).await;
    let error = outer.shutdown().await.unwrap_err();
    let failures = error.report().unwrap().failures().iter().map(ToString::to_string);
    let failures: Vec<_> = failures.collect();
    assert!(failures.contains(&"task `late/bad` failed: no broker".into()), "{failures:?}");
}

/// Invariant 9.
#[tokio::test(start_paused = true)]
async fn a_panic_in_the_drop_of_a_nested_error_does_not_reach_a_holder_of_the_outer_task() {
    #[derive(Debug, thiserror::Error)]
    #[error("bomb")]
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("in drop");
        }
    }
    let outer = named("outer");
    let (sender, receiver) = std::sync::mpsc::channel();
    let dropping = async move |ctx: Context| {
        let inner = named("inner");
        inner.run(task_fn("bad", async |_| Err(Bomb.into())))?;
        let mut run = Box::pin(inner.into_task().run(ctx.clone()));
        assert!(tokio::time::timeout(Duration::ZERO, run.as_mut()).await.is_err());
        drop(run);
        tokio::time::sleep(SECOND).await;
        sender.send(ctx.hold())?;
        Ok(())
    };
    let task = outer.run_ephemeral(task_fn("dropping", dropping)).unwrap();
    tokio::time::sleep(2 * SECOND).await;
    let hold = receiver.recv().unwrap();
    assert!(thread::spawn(move || drop(hold)).join().is_ok());
    assert!(task.outcome().is_some());
    // The outer group recorded the failure, and this thread would drop it with the group.
    std::mem::forget(outer);
}

/// Invariant 2.
#[tokio::test(start_paused = true)]
async fn failures_of_each_of_several_nested_groups_that_a_task_drops_are_reported() {
    let outer = named("outer");
    let supervisor = async move |ctx: Context| {
        for name in ["first", "second"] {
            let inner = named(name);
            inner.run(task_fn(name, async |_| Err(anyhow!("no broker"))))?;
            inner.run(unresponsive("unresponsive"))?;
            let run = Box::pin(inner.into_task().run(ctx.clone()));
            assert!(tokio::time::timeout(SECOND, run).await.is_err());
            // The dropped group ends, and records its failures.
            tokio::time::sleep(30 * SECOND).await;
        }
        Ok(())
    };
    outer.run(task_fn("supervisor", supervisor)).unwrap();
    let failures = failures(&outer.wait().await.unwrap_err());
    for name in ["first", "second"] {
        let expected = format!("task `supervisor/{name}` failed: no broker");
        assert_eq!(failures.iter().filter(|text| **text == expected).count(), 1, "{failures:?}");
    }
}

/// Invariant 3.
#[test]
fn a_nested_group_that_finds_no_timer_does_not_keep_its_task_from_ending() {
    let (own, timeless) = (workers(1), tokio::runtime::Builder::new_multi_thread());
    let timeless = { timeless }.worker_threads(1).build().unwrap();
    let inner = named("inner");
    let outer = Manager::builder().shutdown_timeout(task_manager::Timeout::Never);
    let outer = own.block_on(async { outer.build().unwrap() });
    {
        let _entered = timeless.enter();
        outer.run(inner.into_task()).unwrap();
    }
    let waited = own.block_on(async { tokio::time::timeout(5 * SECOND, outer.wait()).await });
    let failures = failures(&waited.expect("the task does not end").unwrap_err());
    assert_eq!(failures.len(), 1, "{failures:?}");
}

/// Invariant 2.
#[tokio::test(start_paused = true)]
async fn failures_of_several_nested_groups_of_an_abandoned_task_are_reported_once() {
    let outer = Manager::builder().name("outer").shutdown_timeout(15 * SECOND);
    let outer =
        outer.cleanup_timeout(5 * SECOND).escalated_cleanup_timeout(5 * SECOND).build().unwrap();
    let supervisor = async move |ctx: Context| {
        let group = |name, fails: bool| {
            let inner = named(name);
            if fails {
                inner.run(task_fn("bad", async |_| Err(anyhow!("no broker")))).unwrap();
            }
            run_held(&inner);
            inner.into_task()
        };
        let (first, second) = (group("first", true), group("second", false));
        let (first, second) = tokio::join!(first.run(ctx.clone()), second.run(ctx));
        first.and(second)
    };
    outer.run(task_fn("supervisor", supervisor)).unwrap();
    end_with_an_abort(&outer);
    tokio::time::sleep(SECOND).await;
    let failures = failures(&outer.shutdown().await.unwrap_err());
    let expected = "task `supervisor/bad` failed: no broker";
    assert_eq!(failures.iter().filter(|text| *text == expected).count(), 1, "{failures:?}");
}

/// Invariant 2.
#[tokio::test(start_paused = true)]
async fn failures_two_levels_below_an_abandoned_task_are_reported_once() {
    let outer = Manager::builder().name("outer").shutdown_timeout(15 * SECOND);
    let outer =
        outer.cleanup_timeout(5 * SECOND).escalated_cleanup_timeout(5 * SECOND).build().unwrap();
    let (middle, inner) = (named("middle"), named("inner"));
    inner.run(task_fn("bad", async |_| Err(anyhow!("no broker")))).unwrap();
    run_held(&inner);
    middle.run(inner.into_task()).unwrap();
    outer.run(middle.into_task()).unwrap();
    end_with_an_abort(&outer);
    tokio::time::sleep(SECOND).await;
    let failures = failures(&outer.shutdown().await.unwrap_err());
    let expected = "task `middle/inner/bad` failed: no broker";
    assert_eq!(failures.iter().filter(|text| *text == expected).count(), 1, "{failures:?}");
}

/// Invariant 2. Only what was alive at the abandonment was named then.
#[tokio::test(start_paused = true)]
async fn a_cleanup_that_a_nested_group_begins_after_its_task_was_abandoned_is_in_the_report() {
    let outer = Manager::builder().name("outer").shutdown_timeout(15 * SECOND);
    let outer =
        outer.cleanup_timeout(5 * SECOND).escalated_cleanup_timeout(5 * SECOND).build().unwrap();
    let inner = named("inner");
    run_held(&inner);
    inner.cleanup("stuck", std::future::pending).unwrap();
    outer.run(inner.into_task()).unwrap();
    end_with_an_abort(&outer);
    tokio::time::sleep(SECOND).await;
    let failures = failures(&outer.shutdown().await.unwrap_err());
    let count = |name| failures.iter().filter(|text| text.contains(name)).count();
    assert_eq!((count("`inner/held`"), count("`inner/stuck`")), (1, 1), "{failures:?}");
}

/// Runs a task that is abandoned: it is held until long after it was aborted.
fn run_held(group: &Manager) {
    let holding = async |ctx: Context| {
        let hold = ctx.hold();
        tokio::spawn(async move {
            tokio::time::sleep(60 * SECOND).await;
            drop(hold);
        });
        std::future::pending().await
    };
    group.run(task_fn("held", holding)).unwrap();
}

/// Has the shutdown abort all tasks. The nested groups end during its cleanup.
fn end_with_an_abort(outer: &Manager) {
    let escalating = async |ctx: Context| {
        ctx.cancelled().await;
        ctx.escalate(Escalation::Abort);
        Ok(())
    };
    outer.run(task_fn("escalating", escalating)).unwrap();
    let slow = async || {
        tokio::time::sleep(4 * SECOND).await;
        Ok(())
    };
    outer.cleanup("slow", slow).unwrap();
}
