//! Wakers that block or panic while a group shuts down (invariant 9).

use std::{
    sync::{Arc, Mutex, mpsc},
    task::{Context, Wake, Waker},
    thread,
    time::{Duration, Instant},
};

use task_manager::{Outcome, Phase, Task, task_fn};

use crate::{
    child,
    stuck::{JOIN, STOP_END, block, on_time, short, worker, workers},
};

/// Blocks whoever calls it.
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

/// Has `waker` called when `future` would go on, and lives as long as the process.
pub(crate) fn leave_waiting(future: impl Future + 'static, waker: Waker) {
    let mut future = Box::pin(future);
    assert!(future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    std::mem::forget(future);
}

#[test]
fn a_thread_that_is_blocked_while_it_drives_the_shutdown_holds_nobody() {
    child::run(|| {
        workers(2).block_on(async {
            let manager = short().build().unwrap();
            let task = manager
                .run(task_fn("waker", async |ctx| {
                    leave_waiting(
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
            let driver = thread::spawn(move || handle.stop());
            let error = manager.wait().await.unwrap_err();
            on_time("wait with the driving thread blocked", began, STOP_END - JOIN);
            assert!(!driver.is_finished(), "it is stuck in the waker");
            let report = error.report().unwrap();
            assert_eq!(task.outcome(), Some(Outcome::Aborted), "{report}");
            assert_eq!(report.cleanups()[0].outcome, Some(Outcome::Completed), "{report}");
        });
    })
    .passed();
}

#[test]
fn a_waker_that_blocks_keeps_no_other_caller_of_wait_asleep() {
    child::run(|| {
        workers(2).block_on(async {
            let manager = Arc::new(short().build().unwrap());
            manager.run(worker("work")).unwrap();
            for _ in 0..3 {
                let manager = manager.clone();
                leave_waiting(
                    async move { manager.wait().await },
                    Waker::from(Arc::new(BlockingWaker)),
                );
            }
            let handle = manager.handle();
            let began = Instant::now();
            thread::spawn(move || handle.stop());
            manager.wait().await.unwrap();
            on_time("wait beside wakers that block", began, Duration::ZERO);
        });
    })
    .passed();
}

#[test]
fn a_waker_that_blocks_keeps_no_other_task_from_being_stopped() {
    child::run(|| {
        workers(2).block_on(async {
            let manager = short().build().unwrap();
            manager
                .run(task_fn("waker", async |ctx| {
                    let waker = Waker::from(Arc::new(BlockingWaker));
                    let inner = ctx.clone();
                    leave_waiting(async move { inner.cancelled().await }, waker);
                    ctx.cancelled().await;
                    Ok(())
                }))
                .unwrap();
            let others: Vec<_> =
                ["a", "b", "c"].map(|name| manager.run(worker(name)).unwrap()).into();
            tokio::time::sleep(Duration::from_millis(50)).await;
            let handle = manager.handle();
            let began = Instant::now();
            thread::spawn(move || handle.stop());
            manager.wait().await.unwrap();
            on_time("a stop beside a waker that blocks", began, Duration::ZERO);
            for other in others {
                assert_eq!(other.ended().await, Outcome::Completed);
            }
        });
    })
    .passed();
}

#[test]
fn a_waker_that_panics_keeps_no_other_asleep() {
    child::run(|| {
        workers(2).block_on(async {
            let manager = Arc::new(short().build().unwrap());
            manager.run(worker("work")).unwrap();
            let waiting = manager.clone();
            leave_waiting(
                async move { waiting.wait().await },
                Waker::from(Arc::new(PanickingWaker)),
            );
            let began = Instant::now();
            let report = manager.shutdown().await.unwrap();
            on_time("wait beside a waker that panics", began, Duration::ZERO);
            assert!(report.is_clean());
        });
    })
    .passed();
}

/// Has `count` wakers that block called before any other, whenever `future` makes one go on.
pub(crate) fn block_first<F: Future + 'static>(count: usize, future: impl Fn() -> F) {
    for _ in 0..count {
        leave_waiting(future(), Waker::from(Arc::new(BlockingWaker)));
    }
}

#[test]
fn twenty_wakers_that_block_hold_a_caller_of_wait_no_longer_than_three() {
    child::run(|| {
        workers(2).block_on(async {
            let manager = Arc::new(short().build().unwrap());
            manager.run(worker("work")).unwrap();
            block_first(20, || {
                let manager = manager.clone();
                async move { manager.wait().await }
            });
            let handle = manager.handle();
            let began = Instant::now();
            thread::spawn(move || handle.stop());
            manager.wait().await.unwrap();
            on_time("wait behind twenty wakers that block", began, Duration::ZERO);
        });
    })
    .passed();
}

/// Blocks until it is released.
struct HeldWaker(Mutex<mpsc::Receiver<()>>);

impl Wake for HeldWaker {
    fn wake(self: Arc<Self>) {
        let _ = self.0.lock().unwrap().recv();
    }
}

#[test]
fn help_comes_however_often_it_was_needed_before() {
    child::run(|| {
        workers(2).block_on(async {
            let manager = short().build().unwrap();
            manager.run(worker("other")).unwrap();
            // More often than there are helpers.
            for _ in 0..40 {
                let task = manager.run_ephemeral(worker("short")).unwrap();
                tokio::time::sleep(Duration::from_millis(5)).await;
                let ended = task.clone();
                let (release, released) = mpsc::channel();
                let held = Waker::from(Arc::new(HeldWaker(Mutex::new(released))));
                leave_waiting(async move { ended.ended().await }, held);
                let heard = tokio::spawn({
                    let task = task.clone();
                    async move { task.ended().await }
                });
                tokio::time::sleep(Duration::from_millis(5)).await;
                task.stop();
                let heard = tokio::time::timeout(Duration::from_secs(5), heard);
                assert_eq!(
                    heard.await.expect("behind a waker that blocks").unwrap(),
                    Outcome::Completed
                );
                release.send(()).unwrap();
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            manager.shutdown().await.unwrap();
        });
    })
    .passed();
}

#[test]
fn a_task_that_was_admitted_is_polled_though_whoever_runs_it_is_blocked_in_a_waker() {
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
            block_first(1, || {
                let mut group = manager.group();
                async move { group.changed().await }
            });
            let handle = manager.handle();
            let (tell, told) = mpsc::channel();
            let late = task_fn("late", async move |_| Ok(tell.send(())?));
            thread::spawn(move || drop(handle.run(late.in_phase(Phase::SUPPORT))));
            told.recv_timeout(Duration::from_secs(2)).expect("nobody polls it");
            manager.wait().await.unwrap();
        });
    })
    .passed();
}
