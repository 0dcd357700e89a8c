//! Wakers that block or panic during a shutdown.

use std::{
    sync::{Arc, mpsc},
    task::{Context, Wake, Waker},
    thread,
    time::{Duration, Instant},
};

use task_manager::{Outcome, Phase, Task, task_fn};

use crate::{
    child,
    support::{ABORT_WAIT, CLEANUPS, STOP_END, assert_on_time, block, short, worker, workers},
};

/// Blocks the thread that calls it.
pub(crate) struct BlockingWaker;

impl Wake for BlockingWaker {
    fn wake(self: Arc<Self>) {
        block();
    }
}

struct PanickingWaker;

impl Wake for PanickingWaker {
    fn wake(self: Arc<Self>) {
        panic!("woken");
    }
}

/// Polls `future` with `waker`, and leaks it.
pub(crate) fn register_waker(future: impl Future + 'static, waker: Waker) {
    let mut future = Box::pin(future);
    assert!(future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    std::mem::forget(future);
}

/// Invariants 3 and 9.
#[test]
fn a_thread_that_blocks_while_it_advances_the_shutdown_delays_no_deadline() {
    child::run(|| {
        workers(2).block_on(async {
            let manager = short().build().unwrap();
            let task = manager
                .run(task_fn("waker", async |ctx| {
                    register_waker(
                        async move { ctx.cancelled().await },
                        Waker::from(Arc::new(BlockingWaker)),
                    );
                    std::future::pending().await
                }))
                .unwrap();
            manager.run(worker("other")).unwrap();
            manager.cleanup("close", async || Ok(())).unwrap();
            tokio::time::sleep(Duration::from_millis(50)).await;
            let handle = manager.handle();
            let began = Instant::now();
            let stopper = thread::spawn(move || handle.stop());
            let error = manager.wait().await.unwrap_err();
            assert_on_time(
                "wait with the advancing thread blocked",
                began,
                STOP_END - CLEANUPS - 4 * ABORT_WAIT / 5,
            );
            assert!(!stopper.is_finished(), "it is stuck in the waker");
            let report = error.report().unwrap();
            assert_eq!(task.outcome(), Some(Outcome::Aborted), "{report}");
            assert_eq!(report.cleanups()[0].outcome, Some(Outcome::Completed), "{report}");
        });
    })
    .passed();
}

/// Invariant 9.
#[test]
fn a_waker_that_panics_does_not_delay_another_wait() {
    child::run(|| {
        workers(2).block_on(async {
            let manager = Arc::new(short().build().unwrap());
            manager.run(worker("work")).unwrap();
            let waiting = manager.clone();
            register_waker(
                async move { waiting.wait().await },
                Waker::from(Arc::new(PanickingWaker)),
            );
            let began = Instant::now();
            let report = manager.shutdown().await.unwrap();
            assert_on_time("wait beside a waker that panics", began, Duration::ZERO);
            assert!(report.is_clean());
        });
    })
    .passed();
}

/// Invariant 9.
#[test]
fn an_admitted_task_is_polled_while_the_thread_that_ran_it_blocks_in_a_waker() {
    child::run(|| {
        workers(6).block_on(async {
            let manager = short().build().unwrap();
            let slow = async |ctx: task_manager::Context| {
                ctx.cancelled().await;
                tokio::time::sleep(Duration::from_millis(300)).await;
                Ok(())
            };
            manager.run(task_fn("slow", slow)).unwrap();
            tokio::time::sleep(Duration::from_millis(50)).await;
            manager.stop();
            tokio::time::sleep(Duration::from_millis(50)).await;
            let mut group = manager.group();
            register_waker(
                async move { group.changed().await },
                Waker::from(Arc::new(BlockingWaker)),
            );
            let handle = manager.handle();
            let (sender, receiver) = mpsc::channel();
            let late = task_fn("late", async move |_| Ok(sender.send(())?));
            thread::spawn(move || drop(handle.run(late.in_phase(Phase::SUPPORT))));
            receiver.recv_timeout(Duration::from_secs(2)).expect("it is not polled");
            manager.wait().await.unwrap();
        });
    })
    .passed();
}
