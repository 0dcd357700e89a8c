//! What is said of a group that is still at it. Where groups keep to their deadlines, this takes a race.
#![allow(clippy::unwrap_used)]

use std::{
    future::{pending, poll_fn},
    pin::pin,
    task::Poll,
    time::Duration,
};

use anyhow::anyhow;
use task_core::{Context, Task, task_fn};

use super::{MOST_NAMED, Troubles, living_names};
use crate::{Manager, report::failure::FailureKind};

fn busy(manager: &Manager, name: &'static str) {
    let task = async move |ctx: Context| {
        ctx.set_status(name);
        pending().await
    };
    manager.run(task_fn(name, task)).unwrap();
}

fn of(manager: &Manager) -> Troubles {
    Troubles::of(manager.shared.clone(), "ingest", Duration::from_secs(7))
}

#[tokio::test(start_paused = true)]
async fn who_is_alive_is_named_by_the_path_with_repeated_names_told_apart() {
    let (ingest, deep) = (Manager::new(), Manager::builder().name("deep").build().unwrap());
    busy(&ingest, "consumer");
    busy(&ingest, "consumer");
    busy(&deep, "leaf");
    ingest.run(deep.into_task()).unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let troubles = of(&ingest);
    let paths: Vec<_> = troubles.failures.iter().map(|failure| &*failure.name).collect();
    let expected = ["ingest/consumer#1", "ingest/consumer#2", "ingest/deep", "ingest/deep/leaf"];
    assert_eq!(paths, expected);
    for (failure, status) in
        troubles.failures.iter().zip([Some("consumer"), Some("consumer"), None, Some("leaf")])
    {
        let FailureKind::Abandoned { status: told } = &failure.kind else { panic!("{failure}") };
        assert_eq!(told.as_deref(), status);
        assert_eq!((failure.id, failure.at), (None, Duration::from_secs(7)));
    }
    assert_eq!((troubles.known, troubles.omitted, troubles.groups.len()), (0, 0, 2));
    let names = ["consumer#1", "consumer#2", "deep", "deep/leaf"];
    assert_eq!(living_names(&ingest.shared), names);
}

#[tokio::test(start_paused = true)]
async fn who_is_alive_is_named_also_behind_a_group_that_the_task_ran_before() {
    let ingest = Manager::new();
    let restarting = async |ctx: Context| {
        let (first, second) = (Manager::new(), Manager::new());
        first.run(task_fn("bad", async |_| Err(anyhow!("broken"))))?;
        {
            let mut run = pin!(first.into_task().run(ctx.clone()));
            poll_fn(|cx| Poll::Ready(run.as_mut().poll(cx).is_pending())).await;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        busy(&second, "leaf");
        second.into_task().run(ctx).await
    };
    ingest.run(task_fn("restarting", restarting)).unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let troubles = of(&ingest);
    let paths: Vec<_> = troubles.failures.iter().map(|failure| &*failure.name).collect();
    assert_eq!(paths, ["ingest/restarting", "ingest/restarting/bad", "ingest/restarting/leaf"]);
    assert_eq!(living_names(&ingest.shared), ["restarting", "restarting/leaf"]);
}

#[tokio::test(start_paused = true)]
async fn of_many_who_are_alive_some_are_named_and_the_others_counted() {
    let many = Manager::new();
    (0..MOST_NAMED + 72).for_each(|_| busy(&many, "busy"));
    let troubles = of(&many);
    assert_eq!((troubles.failures.len(), troubles.omitted), (MOST_NAMED, 72));
    assert_eq!(living_names(&many.shared).len(), 20);
}

#[tokio::test(start_paused = true)]
async fn failures_that_a_living_group_left_out_are_counted() {
    let failing = Manager::new();
    let task = async |ctx: Context| {
        (0..300).for_each(|number| ctx.record_failure(anyhow!("number {number}")));
        pending().await
    };
    failing.run(task_fn("failing", task)).unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let troubles = of(&failing);
    assert_eq!(troubles.known, 300);
    // And the one that says that the task is alive.
    assert_eq!(troubles.failures.len() as u64 + troubles.omitted, 301);
    assert_eq!(troubles.failures.len(), 66, "the first, the last 64, and that one");
    assert_eq!(troubles.failures[65].name, "ingest/failing");
}
