//! A task under the scope that records.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Weak,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

use task_core::{
    Context, Escalation, Outcome, Task, blocking_task,
    scope::{ChildrenView, Living, panic_text},
    task_fn,
};
use task_testkit::{Event, EventKind, Leaks, TestRun, chaos, frozen, paused, until};
use tokio::time::{Instant, sleep, timeout};

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn kinds(run: &TestRun) -> Vec<EventKind> {
    run.events().into_iter().map(|event: Event| event.kind).collect()
}

/// The message of a panic.
fn message(body: impl FnOnce()) -> String {
    panic_text(&*catch_unwind(AssertUnwindSafe(body)).unwrap_err()).to_owned()
}

#[test]
fn all_that_a_task_reports_is_recorded_with_its_time() {
    paused(async {
        let run = TestRun::start(task_fn("worker", async |ctx: Context| {
            assert_eq!(ctx.name(), "worker");
            ctx.set_status("loading");
            sleep(secs(2)).await;
            ctx.set_ready(true);
            ctx.record_failure(anyhow::anyhow!("no disk").context("writing"));
            ctx.count_failure();
            ctx.record_restart();
            ctx.record_wait(secs(3));
            ctx.record_signal("SIGHUP", 1);
            drop(ctx.hold());
            ctx.cancelled().await;
            ctx.set_status("");
            Ok(())
        }));
        run.ready().await;
        assert!(run.is_ready());
        assert_eq!(run.status().as_deref(), Some("loading"));
        assert_eq!(run.failures(), ["writing: no disk"]);
        run.drain();
        run.drain();
        sleep(secs(1)).await;
        run.cancel();
        let ended = run.ended().await;
        ended.assert_clean().assert_outcome(Outcome::Completed);
        assert_eq!((ended.at(), ended.stop_took()), (secs(3), Some(secs(0))));
        assert_eq!(run.status(), None);
        assert_eq!(
            kinds(&run),
            [
                EventKind::Status("loading".into()),
                EventKind::Ready(true),
                EventKind::Failure("writing: no disk".into()),
                EventKind::FailureCounted,
                EventKind::Restarted,
                EventKind::Waits(Some(secs(3))),
                EventKind::Signal { name: "SIGHUP".into(), count: 1 },
                EventKind::Held,
                EventKind::Released,
                EventKind::Draining,
                EventKind::Cancelled,
                EventKind::Status(String::new()),
                EventKind::Ended(Outcome::Completed),
            ],
        );
        assert_eq!(run.events()[1].at, secs(2));
        assert_eq!(run.events()[9].to_string().trim(), "2 s  is asked to drain");
    });
}

#[test]
fn ends_are_judged_as_a_manager_judges_them() {
    paused(async {
        let early = task_fn("early", async |_| Err(task_core::Cancelled.into()));
        let run = TestRun::start(early);
        run.ended().await.assert_outcome(Outcome::Failed).assert_error("cancelled");

        let run = TestRun::start(chaos::flaps_ready(secs(1)));
        run.cancel();
        run.ended().await.assert_outcome(Outcome::Cancelled).assert_clean();

        let run = TestRun::start(chaos::panics(chaos::When::Cancel));
        run.cancel();
        run.ended().await.assert_outcome(Outcome::Panicked).assert_error("at the cancellation");

        let run = TestRun::start(chaos::panics(chaos::When::Drop));
        run.abort(); // its first poll comes first
        run.ended().await.assert_outcome(Outcome::Panicked).assert_error("on drop");

        let run = TestRun::start(chaos::hang());
        sleep(secs(1)).await;
        run.abort();
        run.ended().await.assert_outcome(Outcome::Aborted).assert_stopped_within(ms(0));
    });
}

#[test]
fn a_task_that_does_not_end_in_its_time_is_aborted() {
    paused(async {
        let run = TestRun::start(task_fn("late", async |ctx: Context| {
            assert_eq!(ctx.remaining(), None);
            ctx.cancelled().await;
            sleep(secs(1)).await;
            ctx.set_status(format!("{:?}", ctx.remaining().unwrap()));
            std::future::pending().await
        }));
        sleep(secs(1)).await;
        run.cancel_within(secs(3));
        let ended = run.ended().await;
        ended.assert_outcome(Outcome::Aborted);
        assert_eq!(run.statuses(), ["2s"]);
        assert_eq!(ended.stop_took(), Some(ms(3001)));
    });
}

#[test]
fn a_request_to_stop_the_group_cancels_the_task() {
    paused(async {
        let run = TestRun::start(task_fn("reader", async |ctx: Context| {
            ctx.request_stop("end of input");
            ctx.cancelled().await;
            Ok(())
        }));
        run.ended().await.assert_clean();
        assert_eq!(kinds(&run)[0], EventKind::StopRequested("end of input".into()));
        let run = TestRun::start(task_fn("escalator", async |ctx: Context| {
            ctx.escalate(Escalation::Abort);
            std::future::pending().await
        }));
        let ended = run.ended().await;
        ended.assert_outcome(Outcome::Aborted).assert_stopped_within(ms(251));
    });
}

#[test]
fn a_task_has_ended_once_its_last_hold_is_released() {
    paused(async {
        let run = TestRun::start(task_fn("parent", async |ctx: Context| {
            let (hold, helper) = (ctx.hold(), ctx.clone());
            tokio::spawn(async move {
                helper.cancelled().await;
                sleep(secs(4)).await;
                drop(hold);
            });
            Ok(())
        }));
        assert_eq!(run.ended().await.at(), secs(4));
        let run = TestRun::start(chaos::leaks_hold());
        run.cancel_within(secs(1));
        run.ended().await.assert_outcome(Outcome::Abandoned);
    });
}

#[test]
fn a_thread_has_real_time_beyond_a_deadline() {
    paused(async {
        let run = TestRun::start(blocking_task("purge", |ctx: Context| {
            while !ctx.wait_cancelled(secs(60)) {}
            thread::sleep(ms(20));
            Ok(())
        }));
        sleep(secs(1)).await;
        run.cancel_within(secs(1));
        run.ended().await.assert_outcome(Outcome::Completed);
    });
}

#[test]
fn a_failure_on_a_thread_is_the_tasks() {
    paused(async {
        let run = TestRun::start(blocking_task("thread", |_| anyhow::bail!("no disk")));
        run.ended().await.assert_outcome(Outcome::Failed).assert_error("no disk");
        let run = TestRun::start(task_fn("parent", async |ctx: Context| {
            let helper = ctx.clone();
            let _ = tokio::spawn(async move { helper.enter(|| panic!("no memory")) }).await;
            ctx.cancelled().await;
            Ok(())
        }));
        run.ended().await.assert_outcome(Outcome::Panicked).assert_error("no memory");
    });
}

#[test]
fn a_wait_for_what_never_happens_fails_with_the_events() {
    let text = message(|| {
        paused(async {
            let run = TestRun::start(chaos::ends_after(secs(3)));
            run.ready().await;
        });
    });
    assert!(text.starts_with("task `ends_after` never is ready: it has ended"), "{text}");
    assert!(text.contains("3 s  ends: completed"), "{text}");
    let text = message(|| {
        paused(async {
            let run = TestRun::start(chaos::hang());
            let _ = run.ended().await;
        });
    });
    assert!(text.contains("never ends: a year has passed"), "{text}");
}

#[test]
fn assertions_fail_with_the_outcome_and_the_events() {
    let run = async || {
        let run = TestRun::start(chaos::fails_after(secs(2)).named("import"));
        run.ended().await
    };
    for assertion in [
        |ended: &task_testkit::Ended| _ = ended.assert_clean(),
        |ended: &task_testkit::Ended| _ = ended.assert_outcome(Outcome::Completed),
        |ended: &task_testkit::Ended| _ = ended.assert_error("no disk"),
        |ended: &task_testkit::Ended| _ = ended.assert_stopped_within(secs(9)),
    ] {
        let text = message(|| paused(async { assertion(&run().await) }));
        assert!(text.contains("expected that task `import` "), "{text}");
        assert!(text.contains("it is failed: chaos: failed; it was not stopped"), "{text}");
        assert!(text.contains("2 s  ends: failed"), "{text}");
    }
}

#[test]
fn a_failure_that_nothing_looked_at_fails_the_test() {
    let text = message(|| {
        paused(async {
            let _run = TestRun::start(chaos::fails_after(secs(2)));
            sleep(secs(3)).await;
        });
    });
    assert!(text.contains("task `fails_after` ended, and nothing asked how: failed"), "{text}");
    paused(async {
        // One that is still running is aborted with its run.
        let _run = TestRun::start(chaos::hang());
        sleep(secs(3)).await;
    });
}

#[test]
fn a_flood_of_events_is_bounded_and_counted() {
    paused(async {
        let run = TestRun::start(chaos::floods_status(100_000));
        run.until("is done", |run| run.status().as_deref() == Some("status 100000")).await;
        assert_eq!((run.events().len(), run.omitted_events()), (65_536, 100_000 - 65_536));
        run.cancel();
        run.ended().await.assert_clean();
    });
}

#[test]
fn the_clock_stands_still_while_it_is_frozen() {
    paused(async {
        let start = Instant::now();
        let (sender, receiver) = tokio::sync::oneshot::channel();
        thread::spawn(move || {
            thread::sleep(ms(50));
            sender.send(()).unwrap();
        });
        timeout(ms(10), frozen(receiver)).await.unwrap().unwrap();
        assert_eq!(start.elapsed(), ms(0));
        sleep(secs(3600)).await;
        assert_eq!(start.elapsed(), secs(3600));
    });
}

#[test]
fn until_asks_at_each_millisecond_and_has_an_end() {
    paused(async {
        let start = Instant::now();
        until("late", || start.elapsed() >= ms(1234)).await;
        assert_eq!(start.elapsed(), ms(1234));
        // From 10 s on, each step is at most a ten-thousandth and a millisecond longer.
        let start = Instant::now();
        until("later", || start.elapsed() >= secs(100)).await;
        assert!(start.elapsed() < ms(100_012), "{:?}", start.elapsed());
    });
    let text = message(|| paused(until("the impossible", || false)));
    assert_eq!(text, "not the impossible within 600 s");
}

#[test]
fn a_value_that_is_still_held_is_named() {
    let (one, other) = (Arc::new(1), Arc::new(2));
    let mut leaks = Leaks::new();
    leaks.watch("one", &one);
    leaks.watch("other", &other);
    drop(one);
    let more = other.clone();
    assert_eq!(message(|| leaks.assert_none()), "leaked: `other` is held by 2");
    drop((other, more));
    leaks.assert_none();
}

#[test]
fn the_children_of_a_task_are_aborted_with_it() {
    struct Children(AtomicUsize);
    impl ChildrenView for Children {
        fn count(&self) -> usize {
            1
        }
        fn living(&self, _limit: usize) -> Living {
            Living::new()
        }
        fn abort(&self, _was_requested: bool) {
            self.0.fetch_add(1, SeqCst);
        }
    }
    paused(async {
        let children = Arc::new(Children(AtomicUsize::new(0)));
        let weak: Weak<dyn ChildrenView> = Arc::<Children>::downgrade(&children);
        let run = TestRun::start(task_fn("parent", async move |ctx: Context| {
            ctx.add_children(weak);
            std::future::pending().await
        }));
        run.cancel_within(secs(1));
        run.ended().await.assert_outcome(Outcome::Aborted);
        assert_eq!(children.0.load(SeqCst), 1);
    });
}
