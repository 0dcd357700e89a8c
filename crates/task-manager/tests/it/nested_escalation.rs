//! An escalation of the outer group leaves nested groups their cleanups.

use std::time::Duration;

use task_manager::{Context, Escalation, Manager, Outcome, Phase, Task, task_fn};
use tokio::time::{Instant, sleep};

use crate::{
    nesting::named,
    support::{Journal, KeptHolds, SECOND, unresponsive},
};

/// A group with a task that waits for a second after the stop, and then escalates.
fn escalating() -> Manager {
    let outer = named("outer");
    let signals = task_fn("signals", async |ctx: Context| {
        ctx.draining().await;
        sleep(SECOND).await;
        ctx.escalate(Escalation::Abort);
        ctx.cancelled().await;
        Ok(())
    });
    outer.run(signals.in_phase(Phase::SUPPORT)).unwrap();
    outer
}

/// Keeps its task from ending.
fn held(kept: &KeptHolds) -> impl Task {
    let kept = kept.clone();
    task_fn("held", async move |ctx: Context| {
        kept.keep(&ctx);
        ctx.cancelled().await;
        Ok(())
    })
}

/// Invariant 3. The nested group is stopped before the escalation, or only after it.
#[tokio::test(start_paused = true)]
async fn a_nested_group_has_the_short_time_for_its_cleanups_before_those_of_the_outer_one() {
    for phase in [Phase::WORK, Phase::new(150)] {
        let (outer, inner) = (escalating(), named("inner"));
        let journal = Journal::default();
        inner.run(unresponsive("hangs")).unwrap();
        for (group, name, takes) in [(&inner, "inner", 850), (&outer, "outer", 0)] {
            let noted = journal.clone();
            let hook = async move || {
                sleep(Duration::from_millis(takes)).await;
                noted.note(name);
                Ok(())
            };
            group.cleanup(name, hook).unwrap();
        }
        outer.run(unresponsive("work")).unwrap();
        let nested = outer.run(inner.into_task().in_phase(phase)).unwrap();
        tokio::task::yield_now().await;
        let began = Instant::now();
        let error = outer.shutdown().await.unwrap_err();
        let report = error.report().unwrap();
        assert_eq!(journal.read(), ["inner", "outer"], "{report}");
        assert_eq!(nested.outcome(), Some(Outcome::Aborted));
        let names: Vec<_> = report.failures().iter().map(|failure| &*failure.name).collect();
        assert_eq!(names, ["work", "inner/hangs", "inner"], "{report}");
        assert!(began.elapsed() < SECOND * 9 / 4, "{:?}: {report}", began.elapsed());
    }
}

/// Invariant 7.
#[tokio::test(start_paused = true)]
async fn only_the_nested_group_is_waited_for_that_long_and_no_longer() {
    let (outer, inner, kept) = (escalating(), named("inner"), KeptHolds::default());
    inner.run(held(&kept)).unwrap();
    inner.cleanup("never", async || std::future::pending().await).unwrap();
    let beside = outer.run(held(&kept)).unwrap();
    let keeping = kept.clone();
    let nested = task_fn("nested", async move |ctx: Context| {
        keeping.keep(&ctx);
        inner.into_task().run(ctx).await
    });
    let nested = outer.run(nested).unwrap();
    tokio::task::yield_now().await;
    let began = Instant::now();
    outer.stop();
    let millis = async |task: task_manager::TaskHandle| {
        assert_eq!(task.ended().await, Outcome::Abandoned);
        began.elapsed().as_millis()
    };
    let (beside, nested) = tokio::join!(millis(beside), millis(nested));
    assert_eq!(beside, 1_250);
    assert_eq!(nested, 2_250);
    outer.wait().await.unwrap_err();
    kept.release();
}
