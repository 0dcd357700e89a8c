//! The waits that borrow nothing.

use std::{
    future::Future,
    pin::pin,
    sync::Arc,
    task::{Context as PollContext, Poll, Wake, Waker},
};

use task_core::{
    Context,
    scope::{Stage, StageCell},
};

struct Silent;

impl Wake for Silent {
    fn wake(self: Arc<Self>) {}
}

/// What a framework asks of the future that it is given.
fn is_for_frameworks<F: Future<Output = ()> + Send + Sync + Unpin + 'static>(future: F) -> F {
    future
}

#[tokio::test]
async fn an_owned_wait_outlives_its_context_and_resolves_at_its_own_stage() {
    let stage = Arc::new(StageCell::new());
    let ctx = Context::new(stage.clone());
    let draining = tokio::spawn(is_for_frameworks(ctx.draining_owned()));
    let mut cancelled = pin!(is_for_frameworks(ctx.cancelled_owned()));
    drop(ctx);
    tokio::task::yield_now().await;
    assert!(!draining.is_finished());

    stage.advance(Stage::Draining);
    draining.await.unwrap();
    let silent = Waker::from(Arc::new(Silent));
    assert_eq!(cancelled.as_mut().poll(&mut PollContext::from_waker(&silent)), Poll::Pending);

    stage.advance(Stage::Cancelled);
    cancelled.await;
}

#[test]
fn an_owned_wait_that_is_dropped_leaves_neither_waker_nor_record() {
    let stage = Arc::new(StageCell::new());
    let ctx = Context::new(stage.clone());
    let silent = Arc::new(Silent);
    let waker = Waker::from(silent.clone());
    let mut waits = [ctx.cancelled_owned(), ctx.cancelled_owned(), ctx.draining_owned()];
    for wait in &mut waits {
        assert!(pin!(wait).poll(&mut PollContext::from_waker(&waker)).is_pending());
    }
    // The test's own two, and one per wait.
    assert_eq!((Arc::strong_count(&silent), Arc::strong_count(&stage)), (5, 5));
    drop(waits);
    assert_eq!((Arc::strong_count(&silent), Arc::strong_count(&stage)), (2, 2));
}
