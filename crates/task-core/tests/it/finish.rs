//! A wait that goes on after the stop, for a limited time. On a paused clock, where time passes
//! only while everything waits, so each duration is exact.

use std::{
    borrow::Cow,
    future::{pending, ready},
    pin::pin,
    sync::{Arc, Mutex},
    task::{Context as PollContext, Poll, Waker},
    time::Duration,
};

use task_core::{
    Cancelled, Context,
    scope::{Scope, Stage, StageCell},
};
use tokio::{
    task::{coop::consume_budget, yield_now},
    time::{Instant, sleep},
};

const GRACE: Duration = Duration::from_secs(5);

/// A task that has a deadline, and keeps its status.
struct Limited {
    stage: StageCell,
    left: Duration,
    status: Mutex<String>,
}

impl Scope for Limited {
    fn stage(&self) -> &StageCell {
        &self.stage
    }

    fn remaining(&self) -> Option<Duration> {
        Some(self.left)
    }

    fn set_status(&self, status: Cow<'static, str>) {
        *self.status.lock().unwrap() = status.into_owned();
    }
}

fn limited(left: Duration) -> (Arc<Limited>, Context) {
    let scope = Arc::new(Limited { stage: StageCell::new(), left, status: Mutex::default() });
    (scope.clone(), Context::new(scope))
}

fn unlimited() -> (Arc<StageCell>, Context) {
    let stage = Arc::new(StageCell::new());
    (stage.clone(), Context::new(stage))
}

#[tokio::test(start_paused = true)]
async fn without_a_stop_it_waits_as_long_as_the_future_takes() {
    let (_stage, ctx) = unlimited();
    let begun = Instant::now();
    let waited = ctx.finish_within(GRACE, async { sleep(100 * GRACE).await }).await;
    assert_eq!((waited, begun.elapsed()), (Ok(()), 100 * GRACE));
}

#[tokio::test(start_paused = true)]
async fn a_future_that_ends_within_its_grace_is_awaited() {
    let (stage, ctx) = unlimited();
    let waiting = tokio::spawn(async move {
        ctx.finish_within(GRACE, async { sleep(2 * GRACE - Duration::from_millis(1)).await }).await
    });
    sleep(GRACE).await;
    stage.advance(Stage::Cancelled);
    assert_eq!(waiting.await.unwrap(), Ok(()));
}

#[tokio::test(start_paused = true)]
async fn the_grace_begins_with_the_stop_and_at_its_end_the_future_is_dropped() {
    let (scope, ctx) = limited(10 * GRACE);
    let owned = Arc::new(());
    let held = owned.clone();
    let waiting = tokio::spawn(async move {
        let future = async move {
            let _held = held;
            pending::<()>().await
        };
        ctx.finish_within(GRACE, future).await
    });
    sleep(100 * GRACE).await;
    scope.stage.advance(Stage::Draining);
    sleep(GRACE).await;
    assert!(!waiting.is_finished(), "a drain is no stop");
    let stopped = Instant::now();
    scope.stage.advance(Stage::Cancelled);
    assert_eq!(waiting.await.unwrap(), Err(Cancelled));
    assert_eq!(stopped.elapsed(), GRACE);
    assert_eq!(Arc::strong_count(&owned), 1);
    assert_eq!(*scope.status.lock().unwrap(), "did not finish within 5s of the stop");
}

#[tokio::test(start_paused = true)]
async fn the_grace_leaves_the_task_a_part_of_the_time_that_it_has_left() {
    for (left, expected) in [
        (GRACE, GRACE - Duration::from_millis(250)),
        (Duration::from_millis(100), Duration::from_millis(90)),
        (Duration::ZERO, Duration::ZERO),
    ] {
        let (scope, ctx) = limited(left);
        scope.stage.advance(Stage::Cancelled);
        let stopped = Instant::now();
        assert_eq!(ctx.finish_within(GRACE, pending::<()>()).await, Err(Cancelled));
        assert_eq!(stopped.elapsed(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn in_a_cancelled_task_the_future_is_polled_and_its_result_taken() {
    let (scope, ctx) = limited(Duration::ZERO);
    scope.stage.advance(Stage::Cancelled);
    assert_eq!(ctx.finish_within(Duration::ZERO, ready(7)).await, Ok(7));
    assert_eq!(*scope.status.lock().unwrap(), "");
    // A grace beyond the clock's range.
    let (stage, ctx) = unlimited();
    stage.advance(Stage::Cancelled);
    assert_eq!(ctx.finish_within(Duration::MAX, sleep(GRACE)).await, Ok(()));
}

/// It never waits for anything but its budget, so a timer that needs budget would never be seen.
#[tokio::test]
async fn the_grace_of_a_future_that_uses_up_the_cooperative_budget_ends() {
    let (stage, ctx) = unlimited();
    stage.advance(Stage::Cancelled);
    let busy = async {
        loop {
            consume_budget().await;
        }
    };
    assert_eq!(ctx.finish_within(Duration::from_millis(20), busy).await, Err(Cancelled));
    yield_now().await;
}

#[test]
#[should_panic(expected = "there is no reactor running")]
fn outside_of_a_runtime_it_panics_before_the_future_is_polled() {
    let (_stage, ctx) = unlimited();
    let never_polled = async { unreachable!("polled") };
    let mut waiting = pin!(ctx.finish_within(GRACE, never_polled));
    let _: Poll<Result<(), _>> = waiting.as_mut().poll(&mut PollContext::from_waker(Waker::noop()));
}
