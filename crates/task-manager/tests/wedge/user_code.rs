//! User code that blocks or panics beside the tasks: the `Display` of an error, and drops.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::{
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
    task::{Context, Poll, Waker},
    thread,
    time::{Duration, Instant},
};

use task_manager::{Manager, Step, task_fn};
use tokio::runtime;

use crate::{
    child,
    support::{
        SECOND, STOP_END, assert_on_time, block, block_workers, current_thread, short, worker,
        workers,
    },
};

/// An error whose `Display` blocks from the second call on.
#[derive(Debug)]
struct BlocksOnSecondDisplay(AtomicBool);

impl fmt::Display for BlocksOnSecondDisplay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.swap(true, Ordering::SeqCst) {
            block();
        }
        f.write_str("displayed once")
    }
}

impl std::error::Error for BlocksOnSecondDisplay {}

/// Invariant 9. FAILURES 16.
#[test]
fn an_error_whose_display_blocks_does_not_delay_the_hard_exit() {
    let ended = child::run(|| {
        current_thread().block_on(async {
            let manager = short().hard_exit(70).build().unwrap();
            let (release, go) = mpsc::channel();
            let other = workers(1);
            let entered = other.enter();
            manager
                .run(task_fn("fails", async move |_| {
                    go.recv().unwrap();
                    Err(BlocksOnSecondDisplay(AtomicBool::new(false)).into())
                }))
                .unwrap();
            drop(entered);
            let mut wait = pin!(manager.wait());
            let cx = &mut Context::from_waker(Waker::noop());
            assert!(matches!(wait.as_mut().poll(cx), Poll::Pending));
            release.send(()).unwrap();
            block(); // the report, which has the error, is not taken
        });
    });
    assert_eq!(ended.status.code(), Some(70), "{}", ended.stderr);
}

/// Invariant 9.
#[test]
fn the_deadline_thread_drops_no_value_of_the_user() {
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
                let manager = Manager::builder().shutdown_timeout(60 * SECOND).build().unwrap();
                let observed = Observed;
                manager.run(worker("keeps the deadline thread active")).unwrap();
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

/// Sends the name of the thread that drops it, and panics.
struct Bomb(mpsc::Sender<String>);

impl Drop for Bomb {
    fn drop(&mut self) {
        self.0.send(thread::current().name().unwrap_or_default().to_owned()).unwrap();
        panic!("in a drop of the user");
    }
}

/// Runs and stops a group on a runtime that owns the bomb, and returns the name of the thread that
/// drops the last handle of that runtime.
fn thread_that_drops_the_last_runtime_handle() -> String {
    let (sender, dropped) = mpsc::channel();
    let bomb = Bomb(sender);
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .on_thread_start(move || {
            let _ = &bomb;
        })
        .build()
        .unwrap();
    runtime.block_on(async {
        let manager = short().shutdown_timeout(SECOND / 2).build().unwrap();
        let work = async |ctx: task_manager::Context| {
            ctx.cancelled().await;
            // Long enough for the deadline thread to read its deadlines.
            tokio::time::sleep(Duration::from_millis(20)).await;
            Ok(())
        };
        manager.run(task_fn("work", work)).unwrap();
        manager.shutdown().await.unwrap();
    });
    // This thread drops it, or another one that has the last handle.
    let _ = catch_unwind(AssertUnwindSafe(|| drop(runtime)));
    dropped.recv_timeout(5 * SECOND).unwrap()
}

/// Enough for the deadline thread to have the last handle several times.
const ROUNDS: usize = 20;

/// Invariant 9.
#[test]
fn the_deadline_thread_drops_no_runtime() {
    child::run(|| {
        for _ in 0..ROUNDS {
            assert_ne!(thread_that_drops_the_last_runtime_handle(), "task-deadlines");
        }
    })
    .passed();
}

/// Invariants 3 and 9.
#[test]
fn deadlines_are_kept_after_a_panic_in_the_drop_of_the_last_runtime_handle() {
    child::run(|| {
        for _ in 0..ROUNDS {
            thread_that_drops_the_last_runtime_handle();
        }
        workers(2).block_on(async {
            let manager = short().build().unwrap();
            block_workers(|task| manager.run(task).unwrap(), 2);
            let began = Instant::now();
            manager.shutdown().await.unwrap_err();
            assert_on_time("wait after a runtime that panicked", began, STOP_END);
        });
    })
    .passed();
}
