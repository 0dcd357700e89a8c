//! What tasks and the view observe of each step.

use task_manager::{Context, Manager, Phase, Step, Task, task_fn};

use crate::support::{Journal, SECOND, begin_wait, slow};

#[tokio::test(start_paused = true)]
async fn without_a_drain_delay_tasks_of_later_phases_drain_from_the_trigger_on() {
    let manager = Manager::new();
    let journal = Journal::default();
    manager.run(slow("work", 3 * SECOND, &journal)).unwrap();
    let noted = journal.clone();
    let probes = task_fn("probes", async move |ctx: Context| {
        ctx.draining().await;
        noted.note(format!("probes drain, cancelled: {}", ctx.is_cancelled()));
        ctx.cancelled().await;
        Ok(())
    });
    manager.run(probes.in_phase(Phase::SUPPORT)).unwrap();
    manager.shutdown().await.unwrap();
    let mut notes = journal.read();
    assert_eq!(notes.pop().unwrap(), "work ended");
    notes.sort();
    assert_eq!(notes, ["probes drain, cancelled: false", "work stopping"]);
}

#[tokio::test(start_paused = true)]
async fn the_view_shows_how_long_the_step_has_lasted() {
    let manager = Manager::builder().drain_delay(4 * SECOND).build().unwrap();
    manager.run(slow("work", 5 * SECOND, &Journal::default())).unwrap();
    let group = manager.group();
    let shown = || {
        let snapshot = group.snapshot();
        (snapshot.step, snapshot.in_step.as_secs())
    };
    begin_wait(&manager);
    tokio::time::sleep(7 * SECOND).await;
    assert_eq!(shown(), (Step::Running, 7));
    manager.stop();
    tokio::time::sleep(3 * SECOND).await;
    assert_eq!(shown(), (Step::Draining, 3));
    tokio::time::sleep(3 * SECOND).await;
    assert_eq!(shown(), (Step::Stopping, 2));
    manager.wait().await.unwrap();
    tokio::time::sleep(SECOND).await;
    assert_eq!(shown(), (Step::Ended, 1));
}
