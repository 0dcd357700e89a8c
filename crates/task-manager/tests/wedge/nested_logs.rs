//! Log sinks that block while nested groups log.

use std::{
    sync::atomic::Ordering,
    thread,
    time::{Duration, Instant},
};

use task_manager::{Escalation, Manager, Outcome, Phase, Task};

use crate::{
    child,
    sinks::BlockingSink,
    support::{
        ESCALATED_GRACE, SECOND, block_workers, context, short, unresponsive, worker, workers,
    },
};

/// Invariant 9. FAILURES 75.
#[test]
fn blocked_log_events_of_a_nested_group_do_not_delay_the_outer_aborts() {
    child::run(|| {
        workers(8).block_on(async {
            let armed = BlockingSink::install();
            let outer = Manager::builder().name("outer").build().unwrap();
            let inner = Manager::builder().name("inner").build().unwrap();
            inner.run(unresponsive("inner-unresponsive")).unwrap();
            outer.run(inner.into_task()).unwrap();
            let task = outer.run(unresponsive("unresponsive")).unwrap();
            let ctx = context(&outer);
            tokio::time::sleep(ESCALATED_GRACE).await;
            outer.stop();
            tokio::time::sleep(ESCALATED_GRACE).await;
            thread::spawn(move || {
                armed.store(true, Ordering::SeqCst);
                ctx.escalate(Escalation::Abort);
            });
            outer.wait().await.unwrap_err();
            assert_eq!(task.outcome(), Some(Outcome::Aborted), "and not abandoned");
        });
    })
    .passed();
}

/// Invariant 9. FAILURES 75.
#[test]
fn blocked_log_events_of_forty_nested_groups_delay_the_outer_one_no_more_than_one() {
    child::run(|| {
        workers(2).block_on(async {
            let armed = BlockingSink::install();
            let outer = short().name("outer").shutdown_timeout(2 * SECOND).build().unwrap();
            for phase in 0..40 {
                let inner = Manager::builder().name("inner").build().unwrap();
                inner.run(worker("work")).unwrap();
                outer.run(inner.into_task().in_phase(Phase::new(phase))).unwrap();
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
            block_workers(|task| outer.run(task).unwrap(), 2);
            let handle = outer.handle();
            let began = Instant::now();
            thread::spawn(move || {
                armed.store(true, Ordering::SeqCst);
                handle.stop();
            });
            outer.wait().await.unwrap_err();
            let took = began.elapsed();
            eprintln!("measured: forty nested groups with a sink that blocks: {took:?}");
            assert!(took < 3 * SECOND, "{took:?}");
        });
    })
    .passed();
}
