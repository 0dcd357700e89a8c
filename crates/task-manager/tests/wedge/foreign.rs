//! What is the user's and blocks elsewhere: an error's own words, and drops (invariant 9).

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
    stuck::{
        SECOND, STOP_END, block, block_workers, current_thread, on_time, short, worker, workers,
    },
};

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
            let (release, go) = mpsc::channel();
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
                let manager = Manager::builder().shutdown_timeout(60 * SECOND).build().unwrap();
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

/// Says by which thread it was dropped, and panics.
struct Bomb(mpsc::Sender<String>);

impl Drop for Bomb {
    fn drop(&mut self) {
        self.0.send(thread::current().name().unwrap_or_default().to_owned()).unwrap();
        panic!("in a drop of the user's");
    }
}

/// Has a group end on a runtime that owns the bomb, and returns who dropped the last of that.
fn thread_that_drops_the_last_of_a_runtime() -> String {
    let (tell, dropped) = mpsc::channel();
    let bomb = Bomb(tell);
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .on_thread_start(move || {
            let _ = &bomb;
        })
        .build()
        .unwrap();
    runtime.block_on(async {
        let manager = short().build().unwrap();
        let work = async |ctx: task_manager::Context| {
            ctx.cancelled().await;
            // Long enough for the deadline thread to look.
            tokio::time::sleep(Duration::from_millis(20)).await;
            Ok(())
        };
        manager.run(task_fn("work", work)).unwrap();
        manager.shutdown().await.unwrap();
    });
    // It may be this thread, or whoever has the last handle.
    let _ = catch_unwind(AssertUnwindSafe(|| drop(runtime)));
    dropped.recv_timeout(5 * SECOND).unwrap()
}

/// In so many rounds the deadline thread has the last handle several times.
const ROUNDS: usize = 20;

#[test]
fn the_deadline_thread_drops_no_runtime() {
    child::run(|| {
        for _ in 0..ROUNDS {
            assert_ne!(thread_that_drops_the_last_of_a_runtime(), "task-deadlines");
        }
    })
    .passed();
}

#[test]
fn deadlines_are_kept_after_a_panic_in_a_drop_with_the_last_of_a_runtime() {
    child::run(|| {
        for _ in 0..ROUNDS {
            thread_that_drops_the_last_of_a_runtime();
        }
        workers(2).block_on(async {
            let manager = short().build().unwrap();
            block_workers(|task| manager.run(task).unwrap(), 2);
            let began = Instant::now();
            manager.shutdown().await.unwrap_err();
            on_time("wait after a runtime that panicked", began, STOP_END);
        });
    })
    .passed();
}
