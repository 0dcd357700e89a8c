//! A scope inside another: what it does not implement is the outer one's.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Wake, Waker},
    time::Duration,
};

use task_core::{
    Context, Escalation, Panic,
    scope::{Scope, Stage, StageCell},
};

use crate::scope::Recorder;

/// A scope with nothing but a stage of its own.
struct Inner {
    outer: Option<Context>,
    stage: StageCell,
}

impl Scope for Inner {
    fn stage(&self) -> &StageCell {
        &self.stage
    }

    fn outer(&self) -> Option<&Context> {
        self.outer.as_ref()
    }
}

fn inside(outer: Option<Context>) -> (Arc<Inner>, Context) {
    let inner = Arc::new(Inner { outer, stage: StageCell::new() });
    (inner.clone(), Context::new(inner))
}

/// Calls everything that a context passes on.
fn report_everything(ctx: &Context) {
    ctx.set_ready(true);
    ctx.set_status("busy");
    ctx.request_stop("done");
    ctx.escalate(Escalation::Abort);
    drop(ctx.hold());
    ctx.record_failure(anyhow::anyhow!("no broker"));
    ctx.record_panic(Panic::catch(|| panic!("boom")).unwrap_err());
    ctx.count_failure();
    ctx.record_restart();
    ctx.record_wait(Duration::from_secs(8));
    ctx.record_wait(None);
    ctx.record_signal("SIGHUP", 2);
    assert_eq!(ctx.enter(|| 3), 3);
    Panic::catch(|| ctx.enter(|| panic!("on a thread"))).unwrap_err();
}

#[test]
fn what_an_inner_scope_does_not_implement_is_the_outer_ones() {
    let (recorder, outer) = Recorder::context();
    let (_, ctx) = inside(Some(outer));
    report_everything(&ctx);
    let expected = [
        "ready true",
        "status busy",
        "stop done",
        "escalate Abort",
        "hold",
        "release",
        "failure no broker",
        "survived panicked: boom",
        "count",
        "restart",
        "wait Some(8s)",
        "wait None",
        "signal SIGHUP 2",
        "enter",
        "enter",
        "panic on a thread",
    ];
    assert_eq!(recorder.calls(), expected);
    assert_eq!((ctx.name(), ctx.remaining()), ("recorded", Some(Duration::from_secs(7))));
}

#[test]
fn the_stage_of_an_inner_scope_is_its_own() {
    let (recorder, outer) = Recorder::context();
    let (inner, ctx) = inside(Some(outer.clone()));
    inner.stage.advance(Stage::Cancelled);
    assert!(ctx.is_cancelled() && !outer.is_cancelled());

    recorder.stage.advance(Stage::Draining);
    let (_, later) = inside(Some(outer.clone()));
    assert_eq!((outer.stage(), later.stage()), (Stage::Draining, Stage::Running));
}

#[test]
fn without_an_outer_scope_everything_is_ignored() {
    let (_, ctx) = inside(None);
    report_everything(&ctx);
    assert_eq!((ctx.name(), ctx.remaining()), ("task", None));
    assert!(ctx.group().snapshot().tasks.is_empty());
}

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn a_waker_at_a_stage_is_called_once_when_the_stage_is_reached_or_has_been() {
    let (recorder, ctx) = Recorder::context();
    let count = Arc::new(Count::default());
    let woken = || count.0.load(Ordering::SeqCst);
    ctx.wake_at(Stage::Cancelled, Waker::from(count.clone()));
    recorder.stage.advance(Stage::Draining);
    assert_eq!(woken(), 0);
    recorder.stage.advance(Stage::Cancelled);
    recorder.stage.advance(Stage::Ended);
    assert_eq!(woken(), 1);
    ctx.wake_at(Stage::Draining, Waker::from(count.clone()));
    assert_eq!(woken(), 2);
}
