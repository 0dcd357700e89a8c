//! Who hears of what while a group runs, beside wakers that block (invariant 9).

use std::{
    sync::Arc,
    task::Waker,
    thread,
    time::{Duration, Instant},
};

use task_manager::{Outcome, task_fn};

use crate::{
    child,
    stuck::{on_time, short, worker, workers},
    wakers::{BlockingWaker, block_first, leave_waiting},
};

#[test]
fn a_waker_that_blocks_keeps_nobody_from_hearing_of_a_change_while_the_group_runs() {
    child::run(|| {
        workers(3).block_on(async {
            let manager = short().build().unwrap();
            let change = Arc::new(tokio::sync::Notify::new());
            let changes = change.clone();
            let changing = async move |ctx: task_manager::Context| {
                changes.notified().await;
                ctx.set_status("changed");
                Ok(())
            };
            manager.run(worker("other")).unwrap();
            let task = manager.run_ephemeral(task_fn("changing", changing)).unwrap();
            tokio::time::sleep(Duration::from_millis(50)).await;
            block_first(3, || {
                let mut group = manager.group();
                async move { group.changed().await }
            });
            let mut group = manager.group();
            let began = Instant::now();
            let heard = tokio::spawn(async move { group.changed().await });
            tokio::time::sleep(Duration::from_millis(20)).await;
            change.notify_one();
            heard.await.unwrap();
            on_time("a change behind wakers that block", began, Duration::from_millis(20));
            assert_eq!(task.outcome(), None, "it is stuck in a waker");
            manager.shutdown().await.unwrap_err();
        });
    })
    .passed();
}

#[test]
fn a_waker_that_blocks_keeps_nobody_from_hearing_of_an_end_while_the_group_runs() {
    child::run(|| {
        workers(3).block_on(async {
            let manager = short().build().unwrap();
            manager.run(worker("other")).unwrap();
            let task = manager.run_ephemeral(worker("short")).unwrap();
            tokio::time::sleep(Duration::from_millis(50)).await;
            block_first(3, || {
                let task = task.clone();
                async move { task.ended().await }
            });
            let began = Instant::now();
            let heard = tokio::spawn({
                let task = task.clone();
                async move { task.ended().await }
            });
            tokio::time::sleep(Duration::from_millis(20)).await;
            let stopping = task.clone();
            thread::spawn(move || stopping.stop());
            assert_eq!(heard.await.unwrap(), Outcome::Completed);
            on_time("an end behind wakers that block", began, Duration::from_millis(20));
            manager.shutdown().await.unwrap();
        });
    })
    .passed();
}

#[test]
fn a_single_waker_that_blocks_at_an_end_keeps_nobody_from_seeing_it_in_the_view() {
    child::run(|| {
        workers(2).block_on(async {
            let manager = short().build().unwrap();
            manager.run(worker("other")).unwrap();
            let (go, gone) = tokio::sync::oneshot::channel::<()>();
            let short_lived = task_fn("short", async move |_| Ok(gone.await?));
            let task = manager.run_ephemeral(short_lived).unwrap();
            tokio::time::sleep(Duration::from_millis(50)).await;
            leave_waiting(async move { task.ended().await }, Waker::from(Arc::new(BlockingWaker)));
            let mut group = manager.group();
            let seen = tokio::spawn(async move {
                group.changed().await;
                group.snapshot().tasks.len()
            });
            tokio::time::sleep(Duration::from_millis(20)).await;
            let began = Instant::now();
            // Of its end comes the one change.
            go.send(()).unwrap();
            assert_eq!(seen.await.unwrap(), 1);
            on_time("an end in the view behind a waker that blocks", began, Duration::ZERO);
            let _ = manager.shutdown().await;
        });
    })
    .passed();
}

#[test]
fn a_waker_that_blocks_keeps_no_other_part_of_a_task_from_hearing_that_it_alone_is_stopped() {
    child::run(|| {
        workers(2).block_on(async {
            let manager = short().build().unwrap();
            manager.run(worker("other")).unwrap();
            let stopped = async |ctx: task_manager::Context| {
                block_first(3, || {
                    let ctx = ctx.clone();
                    async move { ctx.cancelled().await }
                });
                ctx.cancelled().await;
                Ok(())
            };
            let task = manager.run_ephemeral(task_fn("stopped", stopped)).unwrap();
            tokio::time::sleep(Duration::from_millis(50)).await;
            let stopping = task.clone();
            let began = Instant::now();
            thread::spawn(move || stopping.stop());
            assert_eq!(task.ended().await, Outcome::Completed);
            on_time("a single stop behind wakers that block", began, Duration::ZERO);
            manager.shutdown().await.unwrap();
        });
    })
    .passed();
}

#[test]
fn somebody_hears_of_a_change_behind_wakers_that_block_though_there_were_changes_before_the_runtime()
 {
    child::run(|| {
        let manager = short().build().unwrap();
        let changed = || {
            let mut group = manager.group();
            async move { group.changed().await }
        };
        for _ in 0..2 {
            leave_waiting(changed(), Waker::noop().clone());
        }
        manager.cleanup("a change", async || Ok(())).unwrap();
        let runtime = workers(3);
        let _entered = runtime.enter();
        manager.run(worker("other")).unwrap();
        thread::sleep(Duration::from_millis(50));
        block_first(3, changed);
        let heard = runtime.spawn(changed());
        thread::sleep(Duration::from_millis(20));
        let handle = manager.handle();
        let began = Instant::now();
        thread::spawn(move || handle.cleanup("another", async || Ok(())));
        let limit = Duration::from_secs(5);
        runtime.block_on(async { tokio::time::timeout(limit, heard).await }).unwrap().unwrap();
        on_time("a change after one before the runtime", began, Duration::ZERO);
    })
    .passed();
}
