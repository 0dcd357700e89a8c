//! The hard exit, and other ends of the process.

use std::{
    io::Write,
    process::Command,
    sync::{Arc, Weak, mpsc},
    thread,
    time::{Duration, Instant},
};

use task_manager::{
    Escalation, Outcome,
    scope::{ChildrenView, Living},
    task_fn,
};

use crate::{
    child,
    support::{
        SECOND, STOP_END, assert_on_time, block, block_workers, current_thread, short, worker,
        workers,
    },
};

/// The shutdown timeout, the second after it, and the time to start a process and notice its end.
pub(crate) fn is_hard_exit(took: Duration) -> bool {
    println!("measured: the process ended after {} ms", took.as_millis());
    (2 * SECOND..3 * SECOND).contains(&took)
}

/// Stops the group from another thread once the calling runtime is blocked.
pub(crate) fn stop_soon(manager: &task_manager::Manager) {
    let handle = manager.handle();
    thread::spawn(move || {
        thread::sleep(Duration::from_millis(10));
        handle.stop();
    });
}

/// FAILURES 18.
#[test]
fn the_hard_exit_ends_a_blocked_current_thread_runtime_and_names_the_live_tasks() {
    let ended = child::run(|| {
        current_thread().block_on(async {
            let manager = short().name("orders").hard_exit(70).build().unwrap();
            manager.cleanup("not run", async || Ok(())).unwrap();
            manager.run(worker("healthy")).unwrap();
            manager.run(worker("healthy")).unwrap();
            manager
                .run(task_fn("stuck", async |_| {
                    block();
                    Ok(())
                }))
                .unwrap();
            stop_soon(&manager);
            let _ = manager.wait().await;
        });
    });
    assert_eq!(ended.status.code(), Some(70), "{}", ended.stderr);
    assert!(is_hard_exit(ended.took), "{:?}", ended.took);
    let line = ended.stderr.lines().find(|line| line.starts_with("orders: hard exit"));
    let line = line.unwrap_or_else(|| panic!("{}", ended.stderr));
    assert!(line.contains("with code 70"), "{line}");
    assert!(line.ends_with("alive: healthy#1, healthy#2, stuck (holds a thread)"), "{line}");
}

/// Invariant 7. FAILURES 18.
#[test]
fn the_hard_exit_names_the_children_of_a_task() {
    struct Children;
    impl ChildrenView for Children {
        fn count(&self) -> usize {
            30
        }
        fn living(&self, limit: usize) -> Living {
            let mut living = Living::new();
            living.names =
                (1..=limit.min(2)).map(|number| format!("connection {number}")).collect();
            living.more = 30 - living.names.len();
            living
        }
        fn abort(&self, _was_requested: bool) {}
    }
    let ended = child::run(|| {
        current_thread().block_on(async {
            let manager = short().name("orders").hard_exit(70).build().unwrap();
            let children = Arc::new(Children);
            let view: Weak<dyn ChildrenView> = Arc::<Children>::downgrade(&children);
            manager
                .run(task_fn("server", async move |ctx| {
                    ctx.add_children(view);
                    block();
                    Ok(())
                }))
                .unwrap();
            manager.run(worker("healthy")).unwrap();
            stop_soon(&manager);
            let _ = manager.wait().await;
            drop(children);
        });
    });
    assert_eq!(ended.status.code(), Some(70), "{}", ended.stderr);
    let alive = "alive: server (holds a thread), server/connection 1, server/connection 2, server/... (28 more), healthy";
    assert!(ended.stderr.lines().any(|line| line.ends_with(alive)), "{}", ended.stderr);
}

/// Invariants 3 and 7. FAILURES 18.
#[test]
fn without_a_hard_exit_a_blocked_current_thread_runtime_goes_on_when_it_is_free() {
    let ended = child::run(|| {
        current_thread().block_on(async {
            let manager = short().build().unwrap();
            let task = manager
                .run(task_fn("stuck", async |_| {
                    thread::sleep(3 * SECOND);
                    Ok(())
                }))
                .unwrap();
            stop_soon(&manager);
            let began = Instant::now();
            let error = manager.wait().await.unwrap_err();
            assert!(began.elapsed() >= 3 * SECOND, "wait could not be polled");
            assert_eq!(task.outcome(), Some(Outcome::Abandoned), "by the deadline thread: {error}");
            assert!(error.report().unwrap().steps().ended < SECOND + STOP_END);
        });
    });
    assert!(ended.took >= 3 * SECOND);
    ended.passed();
}

/// FAILURES 19.
#[test]
fn the_hard_exit_follows_a_clean_end_whose_report_is_not_taken() {
    let ended = child::run(|| {
        workers(1).block_on(async {
            let manager = short().name("orders").hard_exit(72).build().unwrap();
            manager.run(worker("healthy")).unwrap();
            manager.stop();
            tokio::time::sleep(10 * SECOND).await;
            drop(manager);
        });
    });
    assert_eq!(ended.status.code(), Some(72), "{}", ended.stderr);
    assert!(is_hard_exit(ended.took), "{:?}", ended.took);
    let line = "orders: hard exit with code 72: the report of the shutdown was not taken in time; \
                alive: none";
    assert!(ended.stderr.lines().any(|found| found == line), "{}", ended.stderr);
    // Invariant 2: nobody else will write it.
    assert!(ended.stderr.contains("orders stopped in "), "{}", ended.stderr);
}

/// Invariant 7.
#[test]
fn the_hard_exit_does_not_wait_for_the_whole_budget_while_the_setup_blocks_who_would_wait() {
    let ended = child::run(|| {
        current_thread().block_on(async {
            let manager =
                short().shutdown_timeout(15 * SECOND).name("orders").hard_exit(73).build().unwrap();
            let setup = manager.begin_setup(SECOND).unwrap();
            let ctx = setup.context();
            thread::spawn(move || {
                thread::sleep(Duration::from_millis(10));
                ctx.escalate(Escalation::Abort);
            });
            block();
        });
    });
    assert_eq!(ended.status.code(), Some(73), "{}", ended.stderr);
    assert!(ended.took < 6 * SECOND, "{:?}", ended.took);
    assert!(ended.stderr.contains("alive: setup"), "{}", ended.stderr);
    assert!(ended.stderr.contains("failure: the setup was abandoned"), "{}", ended.stderr);
}

/// FAILURES 19.
#[test]
fn the_hard_exit_follows_an_end_whose_waiter_is_blocked() {
    let ended = child::run(|| {
        let runtime = workers(2);
        runtime.block_on(async {
            let manager = short().hard_exit(71).build().unwrap();
            let (blocked, is_blocked) = mpsc::channel();
            let other = workers(1);
            let entered = other.enter();
            manager.run(worker("elsewhere")).unwrap();
            drop(entered);
            let handle = manager.handle();
            // Both futures are one task: the wait cannot be polled while the other one blocks.
            let waiter = tokio::spawn(async move {
                let wait = handle.wait();
                tokio::join!(wait, async {
                    tokio::task::yield_now().await;
                    blocked.send(()).unwrap();
                    block();
                })
            });
            is_blocked.recv().unwrap();
            manager.stop();
            let _ = waiter.await;
        });
    });
    assert_eq!(ended.status.code(), Some(71), "{}", ended.stderr);
    assert!(ended.stderr.contains("hard exit with code 71"), "{}", ended.stderr);
    assert!(is_hard_exit(ended.took), "{:?}", ended.took);
}

#[test]
fn no_hard_exit_follows_a_report_that_was_taken() {
    let ended = child::run(|| {
        workers(2).block_on(async {
            let manager = short().hard_exit(70).build().unwrap();
            block_workers(|task| manager.run(task).unwrap(), 2);
            manager.shutdown().await.unwrap_err();
            thread::sleep(3 * SECOND);
            std::process::exit(5);
        });
    });
    assert_eq!(ended.status.code(), Some(5), "{}", ended.stderr);
    assert!(!ended.stderr.contains("hard exit"), "{}", ended.stderr);
}

/// FAILURES 75.
#[test]
fn a_stderr_that_blocks_does_not_delay_the_hard_exit() {
    let ended = child::run(|| {
        current_thread().block_on(async {
            let manager = short().hard_exit(70).build().unwrap();
            manager
                .run(task_fn("stuck", async |_| {
                    // Writes to stderr now wait for this lock.
                    let mut stderr = std::io::stderr().lock();
                    stderr.write_all(b"locked\n")?;
                    block();
                    Ok(())
                }))
                .unwrap();
            stop_soon(&manager);
            let _ = manager.wait().await;
        });
    });
    assert_eq!(ended.status.code(), Some(70), "{}", ended.stderr);
    assert!(is_hard_exit(ended.took), "{:?}", ended.took);
}

/// FAILURES 10.
#[test]
fn a_panic_while_unwinding_aborts_the_process() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("again");
        }
    }
    let ended = child::run(|| {
        current_thread().block_on(async {
            let manager = short().build().unwrap();
            manager
                .run(task_fn("bomb", async |_| {
                    let _bomb = Bomb;
                    panic!("once");
                }))
                .unwrap();
            let _ = manager.wait().await;
        });
    });
    #[cfg(unix)]
    {
        use std::os::unix::process::ExitStatusExt as _;
        assert_eq!(ended.status.signal(), Some(6), "what a shell calls 134\n{}", ended.stderr);
    }
    assert!(!ended.status.success());
}

/// FAILURES 45.
#[cfg(target_os = "linux")]
#[test]
fn a_process_suspended_during_the_stop_goes_on_by_the_clock_without_a_panic() {
    child::run(|| {
        workers(2).block_on(async {
            let manager = short().build().unwrap();
            let tasks = block_workers(|task| manager.run(task).unwrap(), 2);
            let script = format!("kill -STOP {0}; sleep 2; kill -CONT {0}", std::process::id());
            let began = Instant::now();
            manager.stop();
            let mut shell = Command::new("sh").args(["-c", &script]).spawn().unwrap();
            let error = manager.wait().await.unwrap_err();
            assert_on_time("wait in a suspended process", began, 2 * SECOND);
            shell.wait().unwrap();
            assert_eq!(tasks[0].outcome(), Some(Outcome::Abandoned), "{error}");
        });
    })
    .passed();
}
