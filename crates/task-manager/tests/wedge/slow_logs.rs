//! What goes on behind somebody who is blocked in a log line (invariant 9).

use std::{
    sync::{Arc, atomic::Ordering, mpsc},
    thread,
    time::{Duration, Instant},
};

use anyhow::bail;
use task_manager::{Manager, Outcome, Phase, Task, blocking_task, task_fn};

use crate::{
    child,
    sinks::BlockingSink,
    stuck::{SECOND, block_workers, on_time, short, worker, workers},
};

/// By then the main thread has taken its first look, after which it drives nothing.
const SETTLED: Duration = Duration::from_millis(100);

#[test]
fn the_end_of_a_blocking_task_that_failed_is_not_held_by_its_own_log_line() {
    child::run(|| {
        workers(4).block_on(async {
            let armed = BlockingSink::install();
            let manager = short().build().unwrap();
            let task = manager
                .run(blocking_task("purge", move |_| {
                    thread::sleep(SETTLED);
                    armed.store(true, Ordering::SeqCst);
                    bail!("disk full")
                }))
                .unwrap();
            let began = Instant::now();
            manager.wait().await.unwrap_err();
            on_time("the end of a blocking task behind its log line", began, SETTLED);
            assert_eq!(task.outcome(), Some(Outcome::Failed));
        });
    })
    .passed();
}

#[test]
fn a_wait_in_a_spawned_task_returns_though_the_worker_that_woke_it_logs() {
    child::run(|| {
        let runtime = workers(4);
        let _entered = runtime.enter();
        let armed = BlockingSink::install();
        let manager = Arc::new(short().build().unwrap());
        let began = Instant::now();
        manager
            .run(task_fn("job", async move |_| {
                tokio::time::sleep(SETTLED).await;
                armed.store(true, Ordering::SeqCst);
                Ok(())
            }))
            .unwrap();
        let (tell, told) = mpsc::channel();
        runtime.spawn(async move { tell.send(manager.wait().await.is_ok()) });
        assert_eq!(told.recv_timeout(3 * SECOND), Ok(true));
        on_time("a wait in a spawned task", began, SETTLED);
    })
    .passed();
}

#[test]
fn the_log_lines_of_forty_nested_groups_that_block_hold_the_outer_one_no_longer_than_one() {
    child::run(|| {
        workers(2).block_on(async {
            let armed = BlockingSink::install();
            let outer = short().name("outer").total(2 * SECOND).build().unwrap();
            for phase in 0..40 {
                let inner = Manager::builder().name("inner").build().unwrap();
                inner.run(worker("work")).unwrap();
                outer.run(inner.into_task().in_phase(Phase::new(phase))).unwrap();
            }
            tokio::time::sleep(SETTLED).await;
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
