//! The time limit of a run.

use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use task_periodic::{LoopTask, OnFailure, PollTask, RunTimedOut};
use tokio::time::sleep;

use crate::rig::{Rig, ms, secs};

struct CountsDrop(Arc<AtomicUsize>);

impl Drop for CountsDrop {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_takes_too_long_is_dropped_and_fails() {
    let (rig, drops) = (Rig::new(), Arc::new(AtomicUsize::new(0)));
    let task = PollTask::new("poll", secs(10), {
        let (rig, drops) = (rig.clone(), drops.clone());
        async move |_| {
            rig.mark();
            let _guard = CountsDrop(drops.clone());
            pending().await
        }
    });
    let task = task.unwrap().run_timeout(secs(4));
    rig.run_for(secs(25), task).await.unwrap();
    assert_eq!((rig.starts(), drops.load(Ordering::SeqCst)), (vec![0, 10_000, 20_000], 3));
    assert!(rig.last_status().ends_with("last: run took longer than 4s"), "{}", rig.last_status());
}

#[tokio::test(start_paused = true)]
async fn a_result_that_is_ready_at_the_limit_counts() {
    let rig = Rig::new();
    let task = LoopTask::new("loop", secs(10), async |_| {
        sleep(secs(4)).await;
        Ok(())
    });
    let task = task.unwrap().run_timeout(secs(4)).on_failure(OnFailure::Fail);
    rig.run_for(secs(5), task).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_never_idle_times_out() {
    let rig = Rig::new();
    let task = LoopTask::new("loop", secs(10), {
        let rig = rig.clone();
        async move |_| {
            rig.work_for(secs(100)).await;
            Ok(())
        }
    });
    let task = task.unwrap().run_timeout(secs(4)).on_failure(OnFailure::Fail);
    let error = rig.run_for(secs(50), task).await.unwrap_err();
    assert_eq!(error.downcast_ref::<RunTimedOut>().unwrap().limit(), secs(4));
}

#[tokio::test(start_paused = true)]
async fn the_error_of_a_timeout_has_the_limit() {
    let rig = Rig::new();
    let task = LoopTask::new("loop", ms(1), async |_| pending().await).unwrap();
    let task = task.run_timeout(secs(3)).on_failure(OnFailure::FailAfter(2));
    let error = rig.run(task).await.unwrap_err();
    assert_eq!(format!("{error:#}"), "2 runs in a row failed: run took longer than 3s");
    assert_eq!(error.downcast_ref::<RunTimedOut>().unwrap().limit(), secs(3));
}

#[tokio::test(start_paused = true)]
async fn a_run_still_times_out_after_the_stop() {
    let rig = Rig::new();
    let task = LoopTask::new("loop", ms(1), async |_| pending().await).unwrap();
    rig.run_for(secs(1), task.run_timeout(secs(3))).await.unwrap();
    assert_eq!(rig.now(), 3000);
}

#[tokio::test(start_paused = true)]
async fn no_run_timeout_is_too_short_or_too_long() {
    let rig = Rig::new();
    let task = LoopTask::new("loop", ms(1), async |_| Ok(())).unwrap();
    let task = task.run_timeout(Duration::ZERO).on_failure(OnFailure::Fail);
    rig.run_for(secs(1), task).await.unwrap();

    let rig = Rig::new();
    let task = LoopTask::new("loop", secs(1), async |_| {
        sleep(secs(1)).await;
        Ok(())
    });
    let task = task.unwrap().run_timeout(Duration::MAX);
    rig.run_for(secs(10), task.on_failure(OnFailure::Fail)).await.unwrap();
}
