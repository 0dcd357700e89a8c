//! Children that return a value.

use std::{future::pending, time::Duration};

use task_children::Children;
use task_core::Outcome;
use tokio::{
    task::yield_now,
    time::{sleep, timeout},
};

use crate::rig::Rig;

#[tokio::test(start_paused = true)]
async fn a_child_is_a_future_of_its_value() {
    let (_rig, ctx) = Rig::new();
    let children = Children::new(&ctx, 2).unwrap();
    let mut squares = Vec::new();
    for number in 0..10_u64 {
        let square = async move |_| {
            sleep(Duration::from_millis(10 - number)).await;
            number * number
        };
        squares.push(children.run("square", square).await.unwrap());
    }
    for (number, square) in squares.into_iter().enumerate() {
        assert_eq!(square.name(), "square");
        let handle = square.handle();
        assert_eq!(square.await.unwrap(), (number * number) as u64);
        assert_eq!(handle.ended().await, Outcome::Completed);
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_the_result_and_in_no_report() {
    let (rig, ctx) = Rig::new();
    let children = Children::new(&ctx, 2).unwrap();
    let child = children.run("sum", async |_| -> u32 { panic!("overflow") }).await.unwrap();
    let error = child.await.unwrap_err();
    assert!(error.is_panicked() && !error.is_aborted());
    assert_eq!(error.panic().unwrap().message, "overflow");
    assert_eq!(error.to_string(), "child `sum` panicked: overflow");
    assert_eq!((children.failures(), rig.recorded()), (0, vec![]));
}

#[tokio::test(start_paused = true)]
async fn an_aborted_child_has_no_value() {
    let (rig, ctx) = Rig::new();
    let children = Children::new(&ctx, 2).unwrap();
    let child = children.run("search", async |_| pending::<u32>().await).await.unwrap();
    yield_now().await;
    child.abort();
    let error = child.await.unwrap_err();
    assert!(error.is_aborted() && !error.is_panicked() && error.panic().is_none());
    assert_eq!(error.to_string(), "child `search` was aborted");
    assert_eq!(rig.recorded(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_child_runs_on_and_its_panic_is_recorded() {
    let (rig, ctx) = Rig::new();
    let children = Children::new(&ctx, 2).unwrap();
    let before = children.run("before", async |_| panic!("early")).await.unwrap();
    let before: task_children::Child<()> = before;
    let ended = before.handle();
    ended.ended().await;
    drop(before); // after its end
    let later = async |_| {
        sleep(Duration::from_secs(1)).await;
        panic!("late")
    };
    let after: task_children::Child<()> = children.run("after", later).await.unwrap();
    let handle = after.handle();
    drop(after);
    assert_eq!(handle.ended().await, Outcome::Panicked);
    assert_eq!(rig.recorded(), ["before: early", "after: late"]);
    assert_eq!(children.failures(), 2);
}

#[tokio::test(start_paused = true)]
async fn awaited_by_reference_it_loses_no_value() {
    let (_rig, ctx) = Rig::new();
    let children = Children::new(&ctx, 2).unwrap();
    let slow = async |_| {
        sleep(Duration::from_secs(5)).await;
        7
    };
    let mut child = children.run("slow", slow).await.unwrap();
    timeout(Duration::from_secs(1), &mut child).await.unwrap_err();
    assert_eq!(child.await.unwrap(), 7);
}
