//! What each step tells, to the tasks and in the view.

use task_manager::{Context, Manager, Phase, Step, Task, task_fn};

use crate::support::{Journal, SECOND, slow};

#[tokio::test(start_paused = true)]
async fn without_a_drain_delay_tasks_of_later_phases_hear_of_the_drain_at_the_trigger() {
    let manager = Manager::new();
    let journal = Journal::default();
    manager.run(slow("work", 3 * SECOND, &journal)).unwrap();
    let noted = journal.clone();
    let probes = task_fn("probes", async move |ctx: Context| {
        ctx.draining().await;
        noted.note(format!("probes hear, stopped: {}", ctx.is_cancelled()));
        ctx.cancelled().await;
        Ok(())
    });
    manager.run(probes.in_phase(Phase::SUPPORT)).unwrap();
    manager.shutdown().await.unwrap();
    let mut notes = journal.read();
    assert_eq!(notes.pop().unwrap(), "work ended");
    notes.sort();
    assert_eq!(notes, ["probes hear, stopped: false", "work stopping"]);
}

#[tokio::test(start_paused = true)]
async fn the_view_tells_how_long_the_step_has_lasted() {
    let manager = Manager::builder().drain_delay(4 * SECOND).build().unwrap();
    manager.run(slow("work", 5 * SECOND, &Journal::default())).unwrap();
    let group = manager.group();
    let told = || {
        let snapshot = group.snapshot();
        (snapshot.step, snapshot.in_step.as_secs())
    };
    tokio::time::sleep(7 * SECOND).await;
    assert_eq!(told(), (Step::Running, 7));
    manager.stop();
    tokio::time::sleep(3 * SECOND).await;
    assert_eq!(told(), (Step::Draining, 3));
    tokio::time::sleep(3 * SECOND).await;
    assert_eq!(told(), (Step::Stopping, 2));
    manager.wait().await.unwrap();
    tokio::time::sleep(SECOND).await;
    assert_eq!(told(), (Step::Ended, 1));
}
