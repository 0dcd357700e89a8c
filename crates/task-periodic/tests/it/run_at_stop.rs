//! The last run, where it is asked for.

use std::{
    future::pending,
    sync::{Arc, Mutex},
};

use task_core::{Context, Outcome};
use task_manager::Manager;
use task_periodic::{Action, Backoff, FirstRun, LoopTask, OnFailure, PollTask};
use tokio::time::{sleep, timeout};

use crate::rig::{Rig, ms, secs};

/// Records when each run began, and whether the task was cancelled by then.
#[derive(Clone, Default)]
struct Runs(Arc<Mutex<Vec<(u64, bool)>>>);

impl Runs {
    fn mark(&self, rig: &Rig, ctx: &Context) {
        self.0.lock().unwrap().push((rig.now(), ctx.is_cancelled()));
    }

    fn take(&self) -> Vec<(u64, bool)> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// An action that takes a second, whatever its context says.
fn flush(rig: &Rig, runs: &Runs) -> impl Action + AsyncFn(Context) -> anyhow::Result<()> + use<> {
    let (rig, runs) = (rig.clone(), runs.clone());
    async move |ctx: Context| {
        runs.mark(&rig, &ctx);
        sleep(secs(1)).await;
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_in_a_wait_begins_one_last_run_at_once() {
    let (rig, runs) = (Rig::new(), Runs::default());
    let task = PollTask::new("poll", secs(10), flush(&rig, &runs)).unwrap();
    rig.run_for(secs(14), task.run_at_stop()).await.unwrap();
    assert_eq!(runs.take(), [(0, false), (10_000, false), (14_000, true)]);
    assert_eq!(rig.now(), 15_000);
    assert!(rig.last_status().starts_with("3 runs, 0 failed; last run succeeded"));
}

#[tokio::test(start_paused = true)]
async fn a_stop_in_a_run_is_followed_by_one_more() {
    let (rig, runs) = (Rig::new(), Runs::default());
    let task = LoopTask::new("loop", secs(10), flush(&rig, &runs)).unwrap();
    rig.run_for(ms(11_500), task.run_at_stop()).await.unwrap();
    assert_eq!(runs.take(), [(0, false), (11_000, false), (12_000, true)]);
    assert_eq!(rig.now(), 13_000);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_ends_itself_with_cancelled_is_followed_by_the_last_one() {
    let (rig, runs) = (Rig::new(), Runs::default());
    let task = LoopTask::new("loop", secs(10), {
        let (rig, runs) = (rig.clone(), runs.clone());
        async move |ctx: Context| {
            runs.mark(&rig, &ctx);
            if !ctx.is_cancelled() {
                ctx.or_cancelled(pending::<()>()).await?;
            }
            Ok(())
        }
    });
    rig.run_for(secs(3), task.unwrap().run_at_stop()).await.unwrap();
    assert_eq!(runs.take(), [(0, false), (3_000, true)]);
}

#[tokio::test(start_paused = true)]
async fn a_stop_before_the_first_run_or_in_a_back_off_has_its_last_run_too() {
    let (rig, runs) = (Rig::new(), Runs::default());
    let task = PollTask::new("poll", secs(10), flush(&rig, &runs)).unwrap();
    let task = task.first_run(FirstRun::OnSchedule).run_at_stop();
    rig.run_for(secs(2), task).await.unwrap();
    assert_eq!(runs.take(), [(2_000, true)]);

    let (rig, runs) = (Rig::new(), Runs::default());
    let task = LoopTask::new("loop", ms(0), {
        let (rig, runs) = (rig.clone(), runs.clone());
        async move |ctx: Context| {
            runs.mark(&rig, &ctx);
            anyhow::bail!("no")
        }
    });
    let task = task.unwrap().backoff(Backoff::new(secs(60), secs(60)).unwrap()).run_at_stop();
    rig.run_for(secs(2), task).await.unwrap();
    assert_eq!(runs.take(), [(0, false), (2_000, true)]);
    assert_eq!(rig.last_status(), "2 runs, 2 failed, 2 in a row; last: no");
}

#[tokio::test(start_paused = true)]
async fn the_failure_of_the_last_run_counts_like_any_other() {
    let failing = |rig: &Rig, on_failure| {
        let rig = rig.clone();
        let task = LoopTask::new("loop", secs(10), async move |ctx: Context| {
            rig.mark();
            anyhow::ensure!(!ctx.is_cancelled(), "no disk");
            Ok(())
        });
        task.unwrap().on_failure(on_failure).run_at_stop()
    };
    for (on_failure, recorded) in [(OnFailure::Continue, 0), (OnFailure::Record, 1)] {
        let rig = Rig::new();
        rig.run_for(secs(2), failing(&rig, on_failure)).await.unwrap();
        assert_eq!((rig.starts().len(), rig.recorded_failures()), (2, recorded));
    }
    let rig = Rig::new();
    let error = rig.run_for(secs(2), failing(&rig, OnFailure::Fail)).await.unwrap_err();
    assert_eq!(format!("{error:#}"), "no disk");
}

#[tokio::test(start_paused = true)]
async fn there_is_no_last_run_after_a_failure_that_ended_the_task() {
    let rig = Rig::new();
    let task = LoopTask::new("loop", secs(10), {
        let rig = rig.clone();
        async move |_| {
            rig.mark();
            sleep(secs(5)).await;
            anyhow::bail!("no")
        }
    });
    let task = task.unwrap().on_failure(OnFailure::Fail).run_at_stop();
    rig.run_for(secs(2), task).await.unwrap_err();
    assert_eq!(rig.starts(), [0]);
}

#[tokio::test(start_paused = true)]
async fn the_last_run_is_bounded_by_its_timeout_and_by_the_deadline() {
    let never = || {
        let task = PollTask::new("poll", secs(10), async |ctx: Context| {
            if ctx.is_cancelled() { pending().await } else { Ok(()) }
        });
        task.unwrap().run_at_stop()
    };
    let rig = Rig::new();
    rig.run_for(secs(2), never().run_timeout(secs(3))).await.unwrap();
    assert_eq!(rig.now(), 5_000);

    let manager = Manager::builder().shutdown_timeout(secs(20)).build().unwrap();
    manager.run(never()).unwrap();
    sleep(secs(2)).await;
    let error = timeout(secs(21), manager.shutdown()).await.unwrap().unwrap_err();
    let poll = &error.report().unwrap().tasks()[0];
    assert_eq!(poll.outcome, Outcome::Aborted);
    assert_eq!(poll.status.as_deref(), Some("run 2 in progress; 0 failed"));
}
