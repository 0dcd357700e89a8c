//! When the first run begins, and the ticks that count from it. `model.rs` covers the rest.

use task_periodic::{FirstRun, LoopTask, PollTask};

use crate::rig::{Rig, ms, secs};

#[tokio::test(start_paused = true)]
async fn the_first_run_is_immediate_by_default() {
    let rig = Rig::new();
    let marks = async |rig: &Rig| {
        rig.mark();
        anyhow::Ok(())
    };
    let task = LoopTask::new("loop", secs(5), {
        let rig = rig.clone();
        async move |_| marks(&rig).await
    });
    rig.run_for(secs(6), task.unwrap()).await.unwrap();
    assert_eq!(rig.starts(), [0, 5000]);
}

#[tokio::test(start_paused = true)]
async fn a_clock_starts_from_the_first_run() {
    let rig = Rig::new();
    let task = PollTask::new("poll", secs(10), {
        let rig = rig.clone();
        async move |_| {
            rig.mark();
            Ok(())
        }
    });
    let task = task.unwrap().first_run(FirstRun::After(ms(700)));
    rig.run_for(secs(25), task).await.unwrap();
    assert_eq!(rig.starts(), [700, 10_700, 20_700]);
}
