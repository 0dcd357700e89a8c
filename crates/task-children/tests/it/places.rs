//! The bound: waiting for a place, and being refused one.

use std::{
    future::{Future, pending},
    pin::pin,
    task::{Context as Polling, Poll, Waker},
    time::Duration,
};

use task_children::Children;
use task_core::{Cancelled, Context};
use tokio::time::{Instant, sleep};

use crate::rig::{Alive, Rig};

fn poll_once<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Polling::from_waker(Waker::noop()))
}

async fn for_a_second(_: Context) -> anyhow::Result<()> {
    sleep(Duration::from_secs(1)).await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn no_more_children_live_than_the_limit_and_spawn_waits_for_a_place() {
    let (_rig, ctx) = Rig::new();
    let children = Children::new(&ctx, 3).unwrap();
    let (alive, began) = (Alive::default(), Instant::now());
    for number in 0..9 {
        let counted = alive.clone();
        let child = async move |ctx: Context| {
            let _one = counted.one();
            assert!(counted.count() <= 3);
            for_a_second(ctx).await
        };
        children.spawn(format!("job {number}"), child).await.unwrap();
        assert!(children.len() <= 3);
    }
    children.finish().await.unwrap();
    assert_eq!(began.elapsed(), Duration::from_secs(3));
    assert_eq!((children.failures(), children.limit()), (0, 3));
    assert!(children.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_place_is_free_once_the_last_hold_of_the_child_is_released() {
    let (_rig, ctx) = Rig::new();
    let children = Children::new(&ctx, 1).unwrap();
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let child = async |ctx: Context| {
        let _ = sender.send(ctx.hold());
        Ok(())
    };
    let handle = children.spawn("holder", child).await.unwrap();
    let hold = receiver.await.unwrap();
    sleep(Duration::from_secs(1)).await;
    assert!(children.try_spawn("next", for_a_second).unwrap_err().is_full());
    assert_eq!(handle.outcome(), None);
    drop(hold);
    assert!(children.try_spawn("next", for_a_second).is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_spawn_that_is_dropped_while_it_waits_takes_no_place_and_calls_nothing() {
    let (_rig, ctx) = Rig::new();
    let children = Children::new(&ctx, 1).unwrap();
    children.spawn("first", for_a_second).await.unwrap();
    {
        let called = async |_: Context| unreachable!("it was not taken");
        let mut second = pin!(children.spawn("second", called));
        assert!(poll_once(second.as_mut()).is_pending());
    }
    children.finish().await.unwrap();
    assert!(children.try_spawn("third", for_a_second).is_ok()); // the place was not lost
}

#[tokio::test(start_paused = true)]
async fn places_are_given_in_the_order_of_the_calls() {
    let (_rig, ctx) = Rig::new();
    let children = Children::new(&ctx, 1).unwrap();
    children.spawn("first", for_a_second).await.unwrap();
    let mut second = pin!(children.spawn("second", for_a_second));
    let mut third = pin!(children.spawn("third", for_a_second));
    assert!(poll_once(second.as_mut()).is_pending());
    assert!(poll_once(third.as_mut()).is_pending());
    children.finish().await.unwrap();
    assert!(children.try_spawn("fourth", for_a_second).unwrap_err().is_full());
    assert!(poll_once(third.as_mut()).is_pending());
    assert!(poll_once(second.as_mut()).is_ready());
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_task_is_refused_children_and_a_draining_one_is_not() {
    let (rig, ctx) = Rig::new();
    let children = Children::new(&ctx, 1).unwrap();
    rig.stage.advance(task_core::scope::Stage::Draining);
    let first = children.spawn("first", for_a_second).await.unwrap();
    let mut waiting = pin!(children.spawn("waiting", for_a_second));
    assert!(poll_once(waiting.as_mut()).is_pending());
    rig.stop();
    // While it waits, at once, and where a place is free.
    assert!(matches!(poll_once(waiting.as_mut()), Poll::Ready(Err(Cancelled))));
    let refused = children.try_spawn("late", for_a_second).unwrap_err();
    assert!(refused.is_cancelled() && !refused.is_full());
    assert_eq!(refused.to_string(), "cancelled");
    first.ended().await;
    assert_eq!(children.spawn("late", for_a_second).await.unwrap_err(), Cancelled);
    assert!(children.run("late", for_a_second).await.is_err());
    assert!(children.try_spawn("late", for_a_second).unwrap_err().is_cancelled());
}

#[tokio::test(start_paused = true)]
async fn stop_and_abort_refuse_what_waits_for_a_place() {
    for stops in [Children::stop, Children::abort] {
        let (_rig, ctx) = Rig::new();
        let children = Children::new(&ctx, 1).unwrap();
        children.spawn("first", for_a_second).await.unwrap();
        let mut waiting = pin!(children.spawn("waiting", for_a_second));
        assert!(poll_once(waiting.as_mut()).is_pending());
        stops(&children);
        assert!(matches!(poll_once(waiting.as_mut()), Poll::Ready(Err(Cancelled))));
        assert_eq!(children.spawn("late", for_a_second).await.unwrap_err(), Cancelled);
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_closure_comes_back_uncalled() {
    let (_rig, ctx) = Rig::new();
    let children = Children::new(&ctx, 1).unwrap();
    children.spawn("first", async |_| pending().await).await.unwrap();
    let text = String::from("mine");
    let refused = children.try_spawn("second", |_| {
        let text = text;
        async move {
            drop(text);
            Ok(())
        }
    });
    let refused = refused.unwrap_err();
    assert_eq!(refused.to_string(), "no place is free for a child");
    let (_, other) = Rig::new();
    refused.into_inner()(other).await.unwrap();
}

#[test]
fn bad_input_is_an_error() {
    let (_rig, ctx) = Rig::new();
    let error = Children::new(&ctx, 5).unwrap_err();
    assert!(error.is_no_runtime() && !error.is_limit());
    assert_eq!(error.to_string(), "there is no Tokio runtime to run children on");
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let _entered = runtime.enter();
    for limit in [0, usize::MAX] {
        let error = Children::new(&ctx, limit).unwrap_err();
        assert!(error.is_limit() && !error.is_no_runtime());
        assert!(error.to_string().contains("is not between 1 and"), "{error}");
    }
}
