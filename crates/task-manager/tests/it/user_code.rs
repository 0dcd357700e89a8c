//! User code that panics: names, wakers, log sinks, drops. What blocks is tested in `tests/wedge`.

use std::{
    borrow::Cow,
    panic,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{self, Wake, Waker},
};

use anyhow::anyhow;
use task_manager::{Context, FailureKind, Manager, Outcome, Phase, Task, task_fn};
use tracing::{Event, Metadata, Subscriber, span, subscriber};

use crate::support::{SECOND, unresponsive, worker};

/// Invariant 9. FAILURES 11.
#[tokio::test(start_paused = true)]
async fn a_panic_in_name_refuses_the_task_and_the_group_goes_on() {
    struct Nameless;
    impl Task for Nameless {
        fn name(&self) -> Cow<'static, str> {
            panic!("no name");
        }
        async fn run(self, _: Context) -> anyhow::Result<()> {
            Ok(())
        }
    }
    let manager = Manager::new();
    let refused = manager.run(Nameless).unwrap_err();
    assert!(!refused.is_too_late());
    assert_eq!(refused.to_string(), "`a task` was refused");
    assert_eq!(refused.reason().to_string(), "it panicked when asked for its properties: no name");
    let Nameless = refused.into_inner();
    manager.run(worker("other")).unwrap();
    assert_eq!(manager.shutdown().await.unwrap().totals().started, 1);
}

/// FAILURES 11.
#[tokio::test(start_paused = true)]
async fn the_name_of_a_task_is_read_once() {
    struct Counted(Arc<AtomicUsize>);
    impl Task for Counted {
        fn name(&self) -> Cow<'static, str> {
            Cow::Owned(format!("asked {} times", self.0.fetch_add(1, Ordering::SeqCst) + 1))
        }
        async fn run(self, ctx: Context) -> anyhow::Result<()> {
            assert_eq!(ctx.name(), "asked 1 times");
            Ok(())
        }
    }
    let manager = Manager::new();
    let asked = Arc::new(AtomicUsize::new(0));
    manager.run(Counted(asked.clone())).unwrap();
    manager.wait().await.unwrap();
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

/// Invariant 1. FAILURES 7.
#[tokio::test(start_paused = true)]
async fn a_panic_in_a_later_poll_is_a_failure_at_that_instant() {
    let manager = Manager::new();
    let other = manager.run(worker("other")).unwrap();
    manager
        .run(task_fn("later", async |_| {
            tokio::time::sleep(SECOND).await;
            panic!("on the second poll");
        }))
        .unwrap();
    let error = manager.wait().await.unwrap_err();
    assert_eq!(error.report().unwrap().steps().triggered, SECOND);
    assert_eq!(error.root().unwrap().at, SECOND);
    assert_eq!(other.outcome(), Some(Outcome::Completed));
}

/// Invariant 1. FAILURES 9.
#[tokio::test(start_paused = true)]
async fn a_panic_in_a_drop_after_the_abort_is_the_outcome_and_its_message_the_root() {
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
            std::future::pending().await
        }))
        .unwrap();
    let error = manager.shutdown().await.unwrap_err();
    assert_eq!(task.outcome(), Some(Outcome::Panicked));
    let FailureKind::Panic(panic) = &error.root().unwrap().kind else { panic!("{error}") };
    assert_eq!(panic.message, "in drop");
}

/// Invariant 7. FAILURES 17.
#[tokio::test(start_paused = true)]
async fn an_aborted_task_is_dropped_before_wait_returns() {
    struct Seen(Arc<AtomicBool>);
    impl Drop for Seen {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
    let manager = Manager::new();
    let dropped = Arc::new(AtomicBool::new(false));
    let seen = Seen(dropped.clone());
    manager
        .run(task_fn("unresponsive", async move |_| {
            let _seen = seen;
            std::future::pending().await
        }))
        .unwrap();
    manager.shutdown().await.unwrap_err();
    assert!(dropped.load(Ordering::SeqCst), "dropped before the report");
}

/// Invariant 2. FAILURES 3.
#[tokio::test(start_paused = true)]
async fn two_failures_at_the_same_instant_give_one_root_and_both_are_listed() {
    let manager = Manager::new();
    for name in ["a", "b"] {
        manager
            .run(task_fn(name, async move |_| {
                tokio::time::sleep(SECOND).await;
                Err(anyhow!("{name} broke"))
            }))
            .unwrap();
    }
    let error = manager.wait().await.unwrap_err();
    let failures = error.report().unwrap().failures();
    assert_eq!(failures.iter().map(|failure| &*failure.name).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(error.to_string(), "task `a` failed (+1 more)");
    assert_eq!(failures[0].at, failures[1].at);
}

/// Panics in each call that may run user code.
struct PanickingSink;

impl Subscriber for PanickingSink {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        panic!("new span");
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, _: &Event<'_>) {
        panic!("event");
    }
    fn enter(&self, _: &span::Id) {
        panic!("enter");
    }
    fn exit(&self, _: &span::Id) {}
}

/// Invariant 9. FAILURES 13.
#[tokio::test(start_paused = true)]
async fn a_log_sink_that_panics_costs_log_events_and_nothing_else() {
    let _default = subscriber::set_default(PanickingSink);
    let manager = Manager::new();
    let ran = Arc::new(AtomicBool::new(false));
    let noted = ran.clone();
    manager
        .cleanup("close", async move || {
            noted.store(true, Ordering::SeqCst);
            Ok(())
        })
        .unwrap();
    let work = manager.run(worker("work")).unwrap();
    let late = manager.run(unresponsive("unresponsive")).unwrap();
    let error = manager.shutdown().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "task `unresponsive` was aborted at its deadline (phase WORK had 19.75 s)"
    );
    assert_eq!(work.outcome(), Some(Outcome::Completed));
    assert_eq!(late.outcome(), Some(Outcome::Aborted));
    assert!(ran.load(Ordering::SeqCst));
}

/// Invariant 9.
#[tokio::test(start_paused = true)]
async fn a_waker_that_panics_leaves_no_other_waiter_asleep() {
    struct Panics;
    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic!("woken");
        }
    }
    let manager = Arc::new(Manager::new());
    let task = manager.run(worker("work")).unwrap();
    let waker = Waker::from(Arc::new(Panics));
    let cx = &mut task::Context::from_waker(&waker);
    let mut waits: Vec<_> = (0..3).map(|_| Box::pin(manager.wait())).collect();
    let mut ends = Box::pin(task.ended());
    for wait in &mut waits {
        assert!(wait.as_mut().poll(cx).is_pending());
    }
    assert!(ends.as_mut().poll(cx).is_pending());
    let waiting = tokio::spawn({
        let manager = manager.clone();
        async move { manager.wait().await.unwrap().is_clean() }
    });
    tokio::task::yield_now().await;
    manager.stop();
    assert!(waiting.await.unwrap());
    for wait in waits {
        assert!(wait.await.unwrap().is_clean());
    }
    assert_eq!(ends.await, Outcome::Completed);
}

/// FAILURES 74.
#[tokio::test(start_paused = true)]
async fn a_status_is_cut_to_256_bytes_at_a_character_boundary() {
    let manager = Manager::new();
    let task = manager
        .run(task_fn("talks", async |ctx: Context| {
            ctx.set_status("é".repeat(1_000) + "x");
            ctx.cancelled().await;
            ctx.set_status("x".repeat(200) + &"é".repeat(100));
            Ok(())
        }))
        .unwrap();
    tokio::task::yield_now().await;
    assert_eq!(task.info().status.unwrap().len(), 256);
    manager.shutdown().await.unwrap();
    assert_eq!(&*task.info().status.unwrap(), "x".repeat(200) + &"é".repeat(28));
}

#[tokio::test(start_paused = true)]
async fn a_panic_caught_outside_of_tasks_does_not_give_its_location_to_a_later_one() {
    let manager = Manager::new();
    assert!(panic::catch_unwind(|| panic!("broken")).is_err());
    let silent = task_fn("silent", async |_| panic::resume_unwind(Box::new("broken")));
    manager.run(silent).unwrap();
    let error = manager.wait().await.unwrap_err();
    let FailureKind::Panic(panic) = &error.root().unwrap().kind else { panic!("{error:?}") };
    assert_eq!((&*panic.message, &panic.location), ("broken", &None));
}

/// Invariant 9.
#[tokio::test(start_paused = true)]
async fn phase_and_gates_readiness_are_read_once_and_a_panic_in_either_refuses_the_task() {
    struct Asked(Arc<AtomicUsize>, usize);
    impl Asked {
        fn answer(&self) {
            assert!(self.0.fetch_add(1, Ordering::SeqCst) < self.1, "no answer");
        }
    }
    impl Task for Asked {
        fn phase(&self) -> Phase {
            self.answer();
            Phase::WORK
        }
        fn gates_readiness(&self) -> bool {
            self.answer();
            false
        }
        async fn run(self, _: Context) -> anyhow::Result<()> {
            Ok(())
        }
    }
    let manager = Manager::new();
    for answers in 0..2 {
        let refused = manager.run(Asked(Arc::default(), answers)).unwrap_err();
        let reason = refused.reason().to_string();
        assert!(reason.ends_with("its properties: no answer"), "{reason}");
        assert!(refused.reason().is_panicked() && !refused.is_too_late());
    }
    let asked = Arc::new(AtomicUsize::new(0));
    manager.run(Asked(asked.clone(), 2)).unwrap();
    manager.wait().await.unwrap();
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

/// An error whose drop calls the group of a task.
struct Calls(Context);

impl std::fmt::Debug for Calls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("calls the group")
    }
}

impl std::fmt::Display for Calls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(self, f)
    }
}

impl std::error::Error for Calls {}

impl Drop for Calls {
    fn drop(&mut self) {
        self.0.group().snapshot();
    }
}

/// Invariants 9 and 10: one that makes room for another is dropped without the lock.
#[tokio::test(start_paused = true)]
async fn failures_beyond_the_limit_are_dropped_where_they_may_call_the_group() {
    let manager = Manager::new();
    let fails = async |ctx: Context| {
        for _ in 0..200 {
            ctx.record_failure(Calls(ctx.clone()));
        }
        Ok(())
    };
    manager.run(task_fn("fails", fails)).unwrap();
    for _ in 0..200 {
        let fails = async |ctx: Context| Err(Calls(ctx).into());
        manager.run_ephemeral(task_fn("fails once", fails)).unwrap();
    }
    let error = manager.wait().await.unwrap_err();
    assert_eq!(error.report().unwrap().omitted_failures(), 400 - 128);
}
