//! What the group sees of a periodic task.

use task_core::{Context, Task};
use task_periodic::{FirstRun, LoopTask, PollTask};
use tokio::time::sleep;

use crate::rig::{Rig, ms, secs};

#[tokio::test(start_paused = true)]
async fn the_status_has_the_runs_and_the_last_outcome() {
    let rig = Rig::new();
    let task = PollTask::new("poll", secs(10), {
        let rig = rig.clone();
        async move |_| {
            let index = rig.mark();
            sleep(ms(35)).await;
            if index == 1 { anyhow::bail!("refused") } else { Ok(()) }
        }
    });
    rig.run_for(secs(25), task.unwrap()).await.unwrap();
    assert_eq!(
        rig.statuses(),
        [
            "run 1 in progress; 0 failed",
            "1 run, 0 failed; last run succeeded in 35.0ms",
            "run 2 in progress; 0 failed",
            "2 runs, 1 failed, 1 in a row; last: refused",
            "run 3 in progress; 1 failed",
            "3 runs, 1 failed; last run succeeded in 35.0ms",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn dropped_ticks_are_counted() {
    let rig = Rig::new();
    let task = PollTask::new("poll", secs(10), async |_| {
        sleep(secs(34)).await;
        Ok(())
    });
    rig.run_for(secs(70), task.unwrap()).await.unwrap();
    assert_eq!(rig.last_status(), "2 runs, 0 failed, 6 ticks dropped; last run succeeded in 34.0s");
}

#[tokio::test(start_paused = true)]
async fn the_status_of_a_task_that_waits_for_its_first_run_is_no_run_yet() {
    let rig = Rig::new();
    let task = PollTask::new("poll", secs(10), async |_| Ok(())).unwrap();
    rig.run_for(secs(5), task.first_run(FirstRun::OnSchedule)).await.unwrap();
    assert_eq!(rig.statuses(), ["no run yet"]);
}

#[tokio::test(start_paused = true)]
async fn a_status_that_the_action_sets_stays_until_the_end_of_the_run() {
    let rig = Rig::new();
    let task = LoopTask::new("loop", ms(1), async |ctx: Context| {
        ctx.set_status("page 1 of 9");
        sleep(secs(100)).await;
        Ok(())
    });
    let seen = async {
        sleep(secs(99)).await;
        rig.cancel();
        rig.last_status()
    };
    let (result, status) = tokio::join!(task.unwrap().boxed().run(rig.ctx()), seen);
    result.unwrap();
    assert_eq!(status, "page 1 of 9");
    assert_eq!(rig.last_status(), "1 run, 0 failed; last run succeeded in 100.0s");
}

#[tokio::test(start_paused = true)]
async fn the_status_names_the_run_that_a_stop_waits_for() {
    let rig = Rig::new();
    let task = LoopTask::new("loop", ms(0), {
        let rig = rig.clone();
        async move |ctx: Context| {
            if rig.mark() == 100 {
                ctx.cancelled().await;
                sleep(secs(1)).await;
            }
            Ok(())
        }
    });
    let stop = async {
        sleep(secs(5)).await;
        rig.cancel();
        sleep(ms(1)).await;
        rig.last_status()
    };
    let (result, status) = tokio::join!(task.unwrap().boxed().run(rig.ctx()), stop);
    result.unwrap();
    assert_eq!(status, "run 101 in progress; 0 failed");
}

#[tokio::test(start_paused = true)]
async fn the_first_successful_run_makes_the_task_ready_once() {
    let rig = Rig::new();
    let task = PollTask::new("poll", secs(100), {
        let rig = rig.clone();
        async move |_| {
            let index = rig.mark();
            assert_eq!(rig.readiness().is_empty(), index < 2);
            if index == 0 || index == 3 { anyhow::bail!("no") } else { Ok(()) }
        }
    });
    rig.run_for(secs(550), task.unwrap()).await.unwrap();
    assert_eq!((rig.starts().len(), rig.readiness()), (6, vec![true]));
}

#[test]
fn a_task_shows_its_name_and_its_schedule() {
    let task = LoopTask::new("sweep", secs(1), async |_| Ok(())).unwrap();
    assert_eq!(task.name(), "sweep");
    assert!(!task.gates_readiness());
    let debug = format!("{task:?}");
    assert!(debug.contains("sweep") && debug.contains("delay: 1s"), "{debug}");
}
