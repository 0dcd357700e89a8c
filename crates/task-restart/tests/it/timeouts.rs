//! Runs that take too long.

use std::future::pending;

use anyhow::bail;
use task_core::{Cancelled, Context, Task};
use task_restart::{FailureLimit, RunTimedOut, restarting};
use tokio::time::sleep;

use crate::rig::{Rig, ms, secs};

#[tokio::test(start_paused = true)]
async fn a_run_that_takes_too_long_is_cancelled_then_dropped_and_has_failed() {
    let rig = Rig::new();
    let factory = rig.runs(async |ctx: Context, run| match run {
        1 => pending().await,
        2 => Err(ctx.or_cancelled(pending::<()>()).await.unwrap_err().into()),
        3 => {
            ctx.cancelled().await;
            bail!("not flushed")
        }
        _ => {
            sleep(secs(5)).await; // ready at the limit
            Ok(())
        }
    });
    let task = restarting(factory).unwrap().run_timeout(secs(5)).run_stop_timeout(secs(2));
    rig.run(task).await.unwrap();
    let starts = rig.starts();
    assert!((7500..=8001).contains(&starts[1]), "{starts:?}");
    assert!((6000..=7001).contains(&(starts[2] - starts[1])), "ends when it is asked: {starts:?}");
    assert_eq!(starts.len(), 4);
    let statuses = rig.reported("status ");
    let text = |run: usize| statuses[2 * run - 2].rsplit_once("failed: ").unwrap().1;
    assert_eq!(
        [text(1), text(2), text(3)],
        [
            "run took longer than 5s",
            "run took longer than 5s",
            "run took longer than 5s: not flushed"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn the_error_of_a_timeout_has_its_type() {
    let rig = Rig::new();
    let limit = FailureLimit::new(1, secs(3600)).unwrap();
    let task = restarting(rig.runs(async |_, _| pending().await)).unwrap();
    let error = rig.run(task.run_timeout(secs(5)).limit(limit)).await.unwrap_err();
    assert_eq!(error.downcast_ref::<RunTimedOut>().unwrap().limit(), secs(5));
}

#[tokio::test(start_paused = true)]
async fn a_stop_in_the_time_that_a_timed_out_run_has_is_the_end() {
    for ends in [true, false] {
        let rig = Rig::new();
        let factory = rig.runs(move |ctx: Context, _| async move {
            ctx.cancelled().await;
            if ends {
                sleep(secs(2)).await
            } else {
                pending().await
            }
            Err(Cancelled.into())
        });
        let task = restarting(factory).unwrap().run_timeout(secs(5)).run_stop_timeout(secs(3));
        let error = rig.run_for(secs(6), task.boxed()).await.unwrap_err();
        assert_eq!((error.is::<Cancelled>(), rig.starts().len()), (ends, 1), "{error:#}");
        assert_eq!(rig.now(), if ends { 7000 } else { 8000 });
    }
}

/// Tokio's cooperative budget hides an elapsed timer from a run that is never idle.
#[tokio::test(start_paused = true)]
async fn a_run_that_is_never_idle_is_timed_out_all_the_same() {
    let rig = Rig::new();
    let passing = tokio::spawn(async {
        loop {
            tokio::time::advance(ms(10)).await;
        }
    });
    let factory = rig.runs(async |ctx: Context, run| {
        while run == 1 && !ctx.is_cancelled() {
            tokio::task::consume_budget().await;
        }
        Ok(())
    });
    let task = restarting(factory).unwrap().run_timeout(secs(5));
    rig.run(task).await.unwrap();
    passing.abort();
    assert_eq!(rig.starts().len(), 2);
}
