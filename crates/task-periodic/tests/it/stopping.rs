//! A stop when a run is due, in a wait, and during a run.

use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use task_core::{Cancelled, Task};
use task_periodic::{FirstRun, LoopTask, PollTask};
use tokio::time::sleep;

use crate::rig::{Rig, ms, secs};

#[tokio::test(start_paused = true)]
async fn a_task_that_is_cancelled_before_its_first_run_does_not_run() {
    let rig = Rig::new();
    rig.cancel();
    let task = LoopTask::new("loop", ms(1), {
        let rig = rig.clone();
        async move |_| {
            rig.mark();
            Ok(())
        }
    });
    rig.run(task.unwrap()).await.unwrap();
    assert!(rig.starts().is_empty());
}

#[tokio::test(start_paused = true)]
async fn cancellation_takes_precedence_over_a_tick_at_the_same_instant() {
    let rig = Rig::new();
    let task = PollTask::new("poll", secs(10), {
        let rig = rig.clone();
        async move |_| {
            rig.mark();
            Ok(())
        }
    });
    // Its timer was set first, so it fires first.
    let stop = async {
        sleep(secs(20)).await;
        rig.cancel();
    };
    let (_, result) = tokio::join!(stop, rig.run(task.unwrap().boxed()));
    result.unwrap();
    assert_eq!(rig.starts(), [0, 10_000]);
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_a_wait_at_once() {
    let rig = Rig::new();
    let task = PollTask::new("poll", secs(3600), async |_| Ok(())).unwrap();
    rig.run_for(secs(7), task).await.unwrap();
    assert_eq!(rig.now(), 7000);
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_a_back_off_at_once_and_cleanly() {
    let rig = Rig::new();
    let task = LoopTask::new("loop", ms(0), async |_| anyhow::bail!("no")).unwrap();
    rig.run_for(ms(300), task).await.unwrap();
    assert_eq!(rig.now(), 300);
}

#[tokio::test(start_paused = true)]
async fn a_stop_does_not_drop_the_run_in_progress() {
    let rig = Rig::new();
    let is_whole = Arc::new(AtomicBool::new(false));
    let task = PollTask::new("poll", secs(1), {
        let is_whole = is_whole.clone();
        async move |_| {
            sleep(secs(30)).await;
            is_whole.store(true, Ordering::SeqCst);
            Ok(())
        }
    });
    rig.run_for(secs(2), task.unwrap()).await.unwrap();
    assert!(is_whole.load(Ordering::SeqCst));
    assert_eq!(rig.now(), 30_000);
}

#[tokio::test(start_paused = true)]
async fn a_run_may_end_itself_with_cancelled_when_the_task_is_stopped() {
    let rig = Rig::new();
    let task = LoopTask::new("loop", ms(0), async |ctx| {
        ctx.or_cancelled(pending::<()>()).await?;
        Ok(())
    });
    let error = rig.run_for(secs(2), task.unwrap()).await.unwrap_err();
    assert!(Cancelled::is_outermost_in(&error));
    assert_eq!(rig.now(), 2000);
}

#[tokio::test(start_paused = true)]
async fn cancelled_without_a_stop_is_a_failure_like_any_other() {
    let rig = Rig::new();
    let task = LoopTask::new("loop", ms(0), async |_| Err(Cancelled.into())).unwrap();
    rig.run_for(ms(100), task).await.unwrap();
    assert!(rig.last_status().starts_with("1 run, 1 failed, 1 in a row"), "{}", rig.last_status());
}

#[tokio::test(start_paused = true)]
async fn a_run_that_fails_during_the_stop_does_not_fail_the_task() {
    let rig = Rig::new();
    let task = LoopTask::new("loop", ms(0), async |_| {
        sleep(secs(5)).await;
        anyhow::bail!("too late")
    });
    rig.run_for(secs(2), task.unwrap()).await.unwrap();
    assert_eq!(rig.now(), 5000);
    assert!(rig.last_status().ends_with("too late"), "{}", rig.last_status());
}

#[tokio::test(start_paused = true)]
async fn a_wait_beyond_the_range_of_the_clock_never_ends_and_can_be_stopped() {
    let rig = Rig::new();
    for first_run in [FirstRun::After(Duration::MAX), FirstRun::After(Duration::MAX - secs(1))] {
        let task = PollTask::new("poll", secs(1), async |_| unreachable!("never runs")).unwrap();
        rig.clone().run_for(secs(3 * 24 * 3600), task.first_run(first_run)).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_loop_without_delay_yields_and_can_be_stopped() {
    let rig = Rig::new();
    let task = LoopTask::new("loop", ms(0), {
        let rig = rig.clone();
        async move |_| {
            rig.mark();
            Ok(())
        }
    });
    let stop = async {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        rig.cancel();
    };
    let (result, ()) = tokio::join!(task.unwrap().boxed().run(rig.ctx()), stop);
    result.unwrap();
    let runs = rig.starts().len();
    assert!((90..=110).contains(&runs), "{runs} runs in 100 turns");
}
