//! What a context forwards to its scope, and its ways to wait.

use std::{
    future::{pending, ready},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use anyhow::anyhow;
use task_core::{
    Cancelled, Context, Escalation, Readiness, Step,
    scope::{Scope, Stage, StageCell},
};

use crate::scope::Recorder;

#[test]
fn everything_a_task_reports_reaches_its_scope() {
    let (recorder, ctx) = Recorder::context();
    ctx.set_ready(true);
    ctx.set_status("busy");
    ctx.request_stop("enough");
    ctx.escalate(Escalation::EndDrain);
    ctx.record_failure(anyhow!("bad"));
    ctx.record_restart();
    ctx.record_signal("SIGHUP", 2);
    drop(ctx.hold());
    let first = ["ready true", "status busy", "stop enough", "escalate EndDrain", "failure bad"];
    assert_eq!(
        recorder.calls(),
        [&first[..], &["restart", "signal SIGHUP 2", "hold", "release"]].concat()
    );
    assert_eq!((ctx.name(), ctx.remaining()), ("recorded", Some(Duration::from_secs(7))));
}

#[test]
fn a_scope_with_only_a_stage_is_a_task_alone() {
    let ctx = Context::new(Arc::new(StageCell::new()));
    ctx.set_ready(true);
    ctx.set_status("busy");
    ctx.request_stop("enough");
    ctx.escalate(Escalation::Abort);
    ctx.record_failure(anyhow!("bad"));
    ctx.record_restart();
    ctx.record_signal("SIGHUP", 2);
    drop(ctx.hold());
    assert_eq!((ctx.name(), ctx.remaining()), ("task", None));
    assert_eq!(ctx.enter(|| 7), 7);
    let mut runs = 0;
    Arc::new(StageCell::new()).enter(&mut || runs += 1);
    assert_eq!(runs, 1);
    let group = ctx.group();
    assert_eq!((group.step(), group.readiness()), (Step::Running, Readiness::default()));
    assert!(group.snapshot().tasks.is_empty());
    assert!(!ctx.is_cancelled());
}

#[test]
fn enter_runs_the_body_once_and_returns_its_result() {
    let (recorder, ctx) = Recorder::context();
    let moved = String::from("once");
    assert_eq!(ctx.enter(move || moved), "once");
    assert_eq!(recorder.calls(), ["enter"]);
}

#[test]
fn enter_runs_a_body_that_the_scope_did_not_run() {
    struct Forgetful(StageCell);
    impl Scope for Forgetful {
        fn stage(&self) -> &StageCell {
            &self.0
        }
        fn enter(self: Arc<Self>, _: &mut dyn FnMut()) {}
    }
    assert_eq!(Context::new(Arc::new(Forgetful(StageCell::new()))).enter(|| 7), 7);
}

#[tokio::test]
async fn each_stage_resolves_its_own_waits_and_no_later_ones() {
    let stage = Arc::new(StageCell::new());
    let ctx = Context::new(stage.clone());
    let observed = || (ctx.is_draining(), ctx.is_cancelled(), stage.get());
    assert_eq!(observed(), (false, false, Stage::Running));
    stage.advance(Stage::Draining);
    ctx.draining().await;
    assert_eq!(observed(), (true, false, Stage::Draining));
    stage.advance(Stage::Cancelled);
    ctx.cancelled().await;
    assert_eq!(observed(), (true, true, Stage::Cancelled));
    stage.advance(Stage::Ended);
    stage.advance(Stage::Draining);
    assert_eq!(observed(), (true, true, Stage::Ended));
}

#[tokio::test]
async fn or_cancelled_prefers_the_stop_and_ready_or_cancelled_the_result() {
    let stage = Arc::new(StageCell::new());
    let ctx = Context::new(stage.clone());
    assert_eq!(ctx.or_cancelled(ready(1)).await, Ok(1));
    assert_eq!(ctx.ready_or_cancelled(ready(1)).await, Ok(1));
    stage.advance(Stage::Cancelled);
    assert_eq!(ctx.or_cancelled(ready(1)).await, Err(Cancelled));
    assert_eq!(ctx.ready_or_cancelled(ready(1)).await, Ok(1));
    assert_eq!(ctx.ready_or_cancelled(pending::<()>()).await, Err(Cancelled));
}

#[tokio::test]
async fn ready_or_cancelled_empties_a_queue_beyond_the_cooperative_budget() {
    let stage = Arc::new(StageCell::new());
    let ctx = Context::new(stage.clone());
    stage.advance(Stage::Cancelled);
    let (sender, mut queue) = tokio::sync::mpsc::unbounded_channel();
    // Many times Tokio's cooperative budget.
    (0..1_000).for_each(|number| sender.send(number).unwrap());
    let taking = tokio::spawn(async move {
        let mut taken = 0;
        while let Ok(Some(_)) = ctx.ready_or_cancelled(queue.recv()).await {
            taken += 1;
        }
        taken
    });
    assert_eq!(taking.await.unwrap(), 1_000);
    drop(sender);
}

#[tokio::test]
async fn a_stop_in_mid_await_ends_both_kinds_of_wait() {
    for wins in [false, true] {
        let stage = Arc::new(StageCell::new());
        let ctx = Context::new(stage.clone());
        let waiting = tokio::spawn(async move {
            if wins {
                ctx.ready_or_cancelled(pending::<()>()).await
            } else {
                ctx.or_cancelled(pending::<()>()).await
            }
        });
        tokio::task::yield_now().await;
        stage.advance(Stage::Cancelled);
        assert_eq!(waiting.await.unwrap(), Err(Cancelled));
    }
}

#[test]
fn a_thread_waits_for_the_stop_until_its_timeout() {
    let stage = Arc::new(StageCell::new());
    let ctx = Context::new(stage.clone());
    let begun = Instant::now();
    assert!(!ctx.wait_cancelled(Duration::from_millis(20)));
    assert!(begun.elapsed() >= Duration::from_millis(20));
    assert!(!ctx.wait_cancelled(Duration::ZERO));

    let waiting = thread::spawn({
        let ctx = ctx.clone();
        // Beyond the clock's range.
        move || ctx.wait_cancelled(Duration::MAX)
    });
    stage.advance(Stage::Cancelled);
    assert!(waiting.join().unwrap());
    assert!(ctx.wait_cancelled(Duration::ZERO));
}

#[cfg(feature = "token")]
#[test]
fn a_child_token_is_cancelled_with_the_task_and_cancels_nothing_else() {
    let stage = Arc::new(StageCell::new());
    let ctx = Context::new(stage.clone());
    let (token, other) = (ctx.child_token(), ctx.child_token());
    token.cancel();
    assert!(!ctx.is_cancelled() && !other.is_cancelled());
    stage.advance(Stage::Cancelled);
    assert!(other.is_cancelled() && ctx.child_token().is_cancelled());
}
