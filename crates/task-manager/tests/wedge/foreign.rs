//! What is the user's and blocks elsewhere: an error's own words, and drops (invariant 9).

use std::{
    fmt,
    pin::pin,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    task::{Context, Poll, Waker},
    thread,
    time::{Duration, Instant},
};

use task_manager::{Manager, Step, task_fn};

use crate::{
    child,
    stuck::{SECOND, block, current_thread, short, worker, workers},
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
