//! The fuse: it ends the process at its instant, whatever is blocked, unless it is moved or
//! disarmed.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use task_manager::{Context, Fuse, FuseInstant, Manager, Task, task_fn};

use crate::{
    child::{self, Ended},
    exit::is_hard_exit,
    support::{SECOND, block, block_workers, context, current_thread, short, worker, workers},
};

/// A manager that may end the process.
fn exiting() -> Manager {
    short().name("orders").hard_exit(70).build().unwrap()
}

fn arm(ctx: &Context, after: Duration) -> Fuse {
    ctx.fuse(FuseInstant::now() + after, 5, "the lease `purge` runs out").unwrap()
}

/// Asserts that the fuse has ended the process, once.
#[track_caller]
fn burnt(ended: &Ended, alive: &str) {
    assert_eq!(ended.status.code(), Some(5), "{}", ended.stderr);
    let lines: Vec<_> =
        ended.stderr.lines().filter(|line| line.contains("exit with code")).collect();
    let expected = "orders: task `signals`: the lease `purge` runs out: exit with code 5; alive: ";
    assert_eq!(lines, [format!("{expected}{alive}")], "{}", ended.stderr);
}

/// FAILURES 18.
#[test]
fn a_fuse_ends_the_process_at_its_instant_with_every_worker_blocked() {
    let ended = child::run(|| {
        workers(2).block_on(async {
            let manager = exiting();
            let _fuse = arm(&context(&manager), SECOND);
            block_workers(|task| manager.run(task).unwrap(), 2);
            block();
        });
    });
    burnt(&ended, "signals, stuck-0 (holds a thread), stuck-1 (holds a thread)");
    println!("measured: the process ended after {} ms", ended.took.as_millis());
    assert!((SECOND..2 * SECOND).contains(&ended.took), "{:?}", ended.took);
}

#[test]
fn a_fuse_that_is_moved_ends_the_process_at_the_new_instant() {
    let ended = child::run(|| {
        current_thread().block_on(async {
            let manager = exiting();
            // Not `context`: it needs a second thread.
            let (sender, armed) = mpsc::channel();
            manager
                .run(task_fn("signals", async move |ctx: Context| {
                    let earlier = arm(&ctx, 3600 * SECOND);
                    assert!(earlier.move_to(FuseInstant::now() + SECOND));
                    let _ = sender.send(());
                    // Moved over and over, as by a lease that is renewed.
                    for _ in 0..8 {
                        thread::sleep(SECOND / 4);
                        assert!(earlier.move_to(FuseInstant::now() + SECOND));
                    }
                    thread::sleep(60 * SECOND);
                    drop(earlier);
                    Ok(())
                }))
                .unwrap();
            tokio::task::yield_now().await;
            armed.recv().unwrap();
        });
    });
    burnt(&ended, "signals (holds a thread)");
    assert!((3 * SECOND..4 * SECOND).contains(&ended.took), "{:?}", ended.took);
}

#[test]
fn a_fuse_that_is_dropped_or_disarmed_ends_nothing() {
    child::run(|| {
        workers(2).block_on(async {
            let manager = exiting();
            let ctx = context(&manager);
            drop(arm(&ctx, SECOND / 4));
            arm(&ctx, SECOND / 4).disarm();
            let far = ctx.fuse(FuseInstant::now() + Duration::MAX, 5, "never").unwrap();
            thread::sleep(SECOND);
            drop(far);
            manager.shutdown().await.unwrap();
        });
    })
    .passed();
}

/// The process is stopped beyond the instant, and a thread that moves the fuse is the first to run.
#[test]
fn a_fuse_whose_instant_has_come_cannot_be_moved() {
    let at = FuseInstant::now() + Duration::from_millis(50);
    let changes = Arc::new(AtomicU32::new(0));
    let changed = Arc::clone(&changes);
    let (fuse, cell) = Fuse::new(at + SECOND, move || {
        changed.fetch_add(1, Ordering::SeqCst);
    });
    assert!(!cell.burn(), "too early");
    assert!(fuse.move_to(at));
    assert_eq!(cell.at(), Some(at));
    thread::sleep(Duration::from_millis(100));
    assert!(!fuse.move_to(FuseInstant::now() + SECOND));
    assert_eq!(changes.load(Ordering::SeqCst), 1, "the manager looks at a fuse that was moved");
    assert!(cell.burn());
    assert!(!cell.burn(), "once");
    assert!(!fuse.move_to(FuseInstant::now() + SECOND));
    assert_eq!(cell.at(), None);
}

#[test]
fn a_hard_exit_that_is_due_before_the_fuse_ends_the_process() {
    let ended = child::run(|| {
        workers(1).block_on(async {
            let manager = exiting();
            let _fuse = arm(&context(&manager), 4 * SECOND);
            block_workers(|task| manager.run(task).unwrap(), 1);
            manager.stop();
            block();
        });
    });
    assert_eq!(ended.status.code(), Some(70), "{}", ended.stderr);
    assert!(is_hard_exit(ended.took), "{:?}", ended.took);
    assert_eq!(ended.stderr.matches("exit with code").count(), 1, "{}", ended.stderr);
}

#[test]
fn a_fuse_that_is_due_before_the_hard_exit_ends_the_process() {
    let ended = child::run(|| {
        workers(1).block_on(async {
            let manager = exiting();
            let _fuse = arm(&context(&manager), 3 * SECOND / 2);
            block_workers(|task| manager.run(task).unwrap(), 1);
            manager.stop();
            block();
        });
    });
    // The stop is over after one second, and what is left of it abandoned.
    assert_eq!(ended.status.code(), Some(5), "{}", ended.stderr);
    assert!((3 * SECOND / 2..2 * SECOND).contains(&ended.took), "{:?}", ended.took);
    assert_eq!(ended.stderr.matches("exit with code").count(), 1, "{}", ended.stderr);
}

#[test]
fn a_fuse_outlives_its_task_its_group_and_the_wait() {
    let ended = child::run(|| {
        workers(2).block_on(async {
            let manager = exiting();
            let fuse = arm(&context(&manager), SECOND);
            manager.shutdown().await.unwrap();
            drop(manager);
            block();
            drop(fuse);
        });
    });
    burnt(&ended, "none");
}

#[test]
fn a_manager_without_a_hard_exit_arms_no_fuse_unless_the_outer_one_has_one() {
    child::run(|| {
        workers(2).block_on(async {
            let alone = short().build().unwrap();
            assert!(context(&alone).fuse(FuseInstant::now() + SECOND, 5, "lease").is_none());
            alone.shutdown().await.unwrap();

            let (sender, armed) = mpsc::channel();
            let inner = short().build().unwrap();
            inner.run(worker("idle")).unwrap();
            let handle = inner.handle();
            let outer = exiting();
            outer.run(inner.into_task()).unwrap();
            tokio::time::sleep(SECOND / 10).await;
            handle
                .run(task_fn("inner", async move |ctx: Context| {
                    let fuse = ctx.fuse(FuseInstant::now() + 60 * SECOND, 5, "lease");
                    let _ = sender.send(fuse.is_some());
                    ctx.cancelled().await;
                    Ok(())
                }))
                .unwrap();
            assert!(armed.recv_timeout(5 * SECOND).unwrap());
            outer.run(worker("other").boxed()).unwrap();
            outer.shutdown().await.unwrap();
        });
    })
    .passed();
}

/// FAILURES 75.
#[test]
fn a_stderr_that_blocks_delays_a_fuse_by_at_most_200_ms() {
    let ended = child::run(|| {
        workers(2).block_on(async {
            use std::io::Write as _;
            let manager = exiting();
            let _fuse = arm(&context(&manager), SECOND);
            let mut stderr = std::io::stderr().lock();
            stderr.write_all(b"locked\n").unwrap();
            block();
        });
    });
    assert_eq!(ended.status.code(), Some(5), "{}", ended.stderr);
    assert!((SECOND..2 * SECOND).contains(&ended.took), "{:?}", ended.took);
}

/// The process is stopped beyond both instants, so that both are due when it goes on.
#[cfg(target_os = "linux")]
#[test]
fn of_a_fuse_and_a_hard_exit_that_are_due_at_once_the_fuse_ends_the_process() {
    let ended = child::run(|| {
        workers(2).block_on(async {
            let manager = exiting();
            let _fuse = arm(&context(&manager), 3 * SECOND / 2);
            manager.run(task_fn("stuck", async |_| std::future::pending().await)).unwrap();
            block_workers(|task| manager.run(task).unwrap(), 2);
            manager.stop();
            let script = format!("kill -STOP {0}; sleep 3; kill -CONT {0}", std::process::id());
            std::process::Command::new("sh").args(["-c", &script]).status().unwrap();
            block();
        });
    });
    assert_eq!(ended.status.code(), Some(5), "{}", ended.stderr);
    assert!(ended.took > 3 * SECOND, "{:?}", ended.took);
    assert_eq!(ended.stderr.matches("exit with code").count(), 1, "{}", ended.stderr);
}

/// FAILURES 45.
#[cfg(target_os = "linux")]
#[test]
fn the_time_in_which_the_process_is_stopped_counts() {
    let ended = child::run(|| {
        workers(2).block_on(async {
            let manager = exiting();
            let began = Instant::now();
            let fuse = arm(&context(&manager), SECOND);
            let script = format!("kill -STOP {0}; sleep 2; kill -CONT {0}", std::process::id());
            let mut shell = std::process::Command::new("sh").args(["-c", &script]).spawn().unwrap();
            while began.elapsed() < 2 * SECOND {
                thread::sleep(Duration::from_millis(1));
            }
            assert!(!fuse.move_to(FuseInstant::now() + 60 * SECOND), "its instant has come");
            shell.wait().unwrap();
            block();
        });
    });
    burnt(&ended, "signals");
    assert!((2 * SECOND..3 * SECOND).contains(&ended.took), "{:?}", ended.took);
}
