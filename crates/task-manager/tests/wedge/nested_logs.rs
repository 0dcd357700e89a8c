//! Log sinks that block when groups inside groups log (invariant 9).

use std::{
    sync::atomic::Ordering,
    thread,
    time::{Duration, Instant},
};

use task_manager::{Escalation, Manager, Outcome, Phase, Task};

use crate::{
    child,
    sinks::BlockingSink,
    stuck::{SECOND, SHORT_GRACE, block_workers, context, deaf, short, worker, workers},
};

#[test]
fn the_outer_aborts_are_not_held_by_the_log_lines_of_the_inner_group() {
    child::run(|| {
        workers(8).block_on(async {
            let armed = BlockingSink::install();
            let outer = Manager::builder().name("outer").build().unwrap();
            let inner = Manager::builder().name("inner").build().unwrap();
            inner.run(deaf("inner-deaf")).unwrap();
            outer.run(inner.into_task()).unwrap();
            let task = outer.run(deaf("deaf")).unwrap();
            let ctx = context(&outer);
            tokio::time::sleep(SHORT_GRACE).await;
            outer.stop();
            tokio::time::sleep(SHORT_GRACE).await;
            thread::spawn(move || {
                armed.store(true, Ordering::SeqCst);
                ctx.escalate(Escalation::Abort);
            });
            outer.wait().await.unwrap_err();
            assert_eq!(task.outcome(), Some(Outcome::Aborted), "and not given up");
        });
    })
    .passed();
}

#[test]
fn the_log_lines_of_forty_nested_groups_that_block_hold_the_outer_one_no_longer_than_one() {
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
