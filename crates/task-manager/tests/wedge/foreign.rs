//! Foreign code that blocks or panics where the manager has to call it: wakers, log sinks, an error's own words
//! (invariant 9).

use std::{
    fmt,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    thread,
    time::{Duration, Instant},
};

use task_manager::{Manager, Outcome, Phase, Step, Task, task_fn};
use tracing::{Event, Metadata, Subscriber, span};

use crate::{
    child,
    stuck::{
        JOIN, SECOND, STOP_END, abandoned, block, block_workers, current_thread, on_time, short,
        worker, workers,
    },
};

/// Blocks whoever calls it.
struct BlockingWaker;

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
fn leave_waiting(future: impl Future + 'static, waker: Waker) {
    let mut future = Box::pin(future);
    assert!(future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    std::mem::forget(future);
}

/// Blocks whoever logs once it is armed.
struct BlockingSink(Arc<AtomicBool>);

impl BlockingSink {
    fn install() -> Arc<AtomicBool> {
        let armed = Arc::new(AtomicBool::new(false));
        tracing::subscriber::set_global_default(Self(armed.clone())).unwrap();
        armed
    }

    fn pass(&self) {
        if self.0.load(Ordering::SeqCst) {
            block();
        }
    }
}

impl Subscriber for BlockingSink {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        self.pass();
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, _: &Event<'_>) {
        self.pass();
    }
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

#[test]
fn a_log_sink_that_blocks_from_the_trigger_on_holds_no_deadline() {
    child::run(|| {
        workers(2).block_on(async {
            let armed = BlockingSink::install();
            let manager = short().build().unwrap();
            block_workers(&manager, 2);
            let handle = manager.handle();
            let began = Instant::now();
            thread::spawn(move || {
                armed.store(true, Ordering::SeqCst);
                handle.stop();
            });
            let error = manager.wait().await.unwrap_err();
            on_time("wait with a log sink that blocks", began, STOP_END);
            assert_eq!(abandoned(error.report().unwrap()), ["stuck-0", "stuck-1"]);
        });
    })
    .passed();
}

#[test]
fn a_log_sink_that_blocks_keeps_nobody_from_learning_how_a_task_ended() {
    child::run(|| {
        workers(4).block_on(async {
            let manager = short().build().unwrap();
            let one = manager.run(worker("one")).unwrap();
            let other = manager.run(worker("other")).unwrap();
            tokio::time::sleep(Duration::from_millis(50)).await;
            let armed = BlockingSink::install();
            let handle = manager.handle();
            let began = Instant::now();
            thread::spawn(move || {
                armed.store(true, Ordering::SeqCst);
                handle.stop();
            });
            manager.wait().await.unwrap();
            assert_eq!(one.ended().await, Outcome::Completed);
            assert_eq!(other.ended().await, Outcome::Completed);
            on_time("the ends of tasks with a log sink that blocks", began, Duration::ZERO);
        });
    })
    .passed();
}

#[test]
fn a_log_sink_that_blocks_during_the_cleanups_costs_them_no_more_than_their_budget() {
    child::run(|| {
        workers(4).block_on(async {
            let manager = short().build().unwrap();
            let armed = BlockingSink::install();
            manager.cleanup("next", async || Ok(())).unwrap();
            manager
                .cleanup("arms", async move || {
                    armed.store(true, Ordering::SeqCst);
                    Ok(())
                })
                .unwrap();
            let handle = manager.handle();
            let began = Instant::now();
            // Not by this thread, whose own log line could then block.
            manager
                .run(task_fn("stops", async move |_| {
                    // By then the main thread has taken its first look, after which it drives nothing.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    handle.stop();
                    Ok(())
                }))
                .unwrap();
            let _ = manager.wait().await;
            assert!(began.elapsed() < 2 * SECOND, "{:?}", began.elapsed());
        });
    })
    .passed();
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

/// An error that has nothing more to say after the first time.
#[derive(Debug)]
struct FallsSilent(AtomicBool);

impl fmt::Display for FallsSilent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.swap(true, Ordering::SeqCst) {
            block();
        }
        f.write_str("said once")
    }
}

impl std::error::Error for FallsSilent {}

#[test]
fn an_error_whose_display_blocks_does_not_hold_the_hard_exit() {
    let ended = child::run(|| {
        current_thread().block_on(async {
            let manager = short().hard_exit(70).build().unwrap();
            let (release, go) = std::sync::mpsc::channel();
            let other = workers(1);
            let entered = other.enter();
            manager
                .run(task_fn("fails", async move |_| {
                    go.recv().unwrap();
                    Err(FallsSilent(AtomicBool::new(false)).into())
                }))
                .unwrap();
            drop(entered);
            let mut wait = pin!(manager.wait());
            let nobody = &mut Context::from_waker(Waker::noop());
            assert!(matches!(wait.as_mut().poll(nobody), Poll::Pending));
            release.send(()).unwrap();
            block(); // nobody takes the report, in which the error is
        });
    });
    assert_eq!(ended.status.code(), Some(70), "{}", ended.stderr);
}

#[test]
fn the_deadline_thread_drops_nothing_of_the_users() {
    static DROPS: AtomicUsize = AtomicUsize::new(0);
    struct Observed;
    impl Drop for Observed {
        fn drop(&mut self) {
            assert_ne!(thread::current().name(), Some("task-deadlines"));
            DROPS.fetch_add(1, Ordering::SeqCst);
        }
    }
    impl fmt::Debug for Observed {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("observed")
        }
    }
    impl fmt::Display for Observed {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            fmt::Debug::fmt(self, f)
        }
    }
    impl std::error::Error for Observed {}
    child::run(|| {
        const ROUNDS: usize = 500;
        workers(2).block_on(async {
            for _ in 0..ROUNDS {
                let manager = Manager::builder().total(60 * SECOND).build().unwrap();
                let observed = Observed;
                manager.run(worker("keeps the thread watching")).unwrap();
                manager.run(task_fn("fails", async move |_| Err(observed.into()))).unwrap();
                let mut group = manager.group();
                drop(manager);
                while group.step() != Step::Ended {
                    group.changed().await;
                }
            }
            let began = Instant::now();
            while DROPS.load(Ordering::SeqCst) < ROUNDS {
                assert!(began.elapsed() < 5 * SECOND, "{}", DROPS.load(Ordering::SeqCst));
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
    })
    .passed();
}

#[test]
fn a_log_sink_that_blocks_costs_one_thread_and_not_one_for_each_step() {
    child::run(|| {
        workers(2).block_on(async {
            let armed = BlockingSink::install();
            let budget = Duration::from_millis(800);
            let manager =
                Manager::builder().total(2 * SECOND).cleanup_budget(budget).build().unwrap();
            for phase in 0..40 {
                manager.run(worker("waits").in_phase(Phase::new(phase))).unwrap();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
            block_workers(&manager, 2);
            for _ in 0..40 {
                manager.cleanup("close", async || Ok(())).unwrap();
            }
            let handle = manager.handle();
            let began = Instant::now();
            thread::spawn(move || {
                armed.store(true, Ordering::SeqCst);
                handle.stop();
            });
            let error = manager.wait().await.unwrap_err();
            on_time("eighty steps with a log sink that blocks", began, 2 * SECOND);
            assert_eq!(error.report().unwrap().totals().abandoned, 42);
            assert_eq!(error.report().unwrap().cleanups().len(), 40);
        });
    })
    .passed();
}
