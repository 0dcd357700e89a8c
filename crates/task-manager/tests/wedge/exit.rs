//! The last resort, and what ends the process without us.

use std::{
    io::Write,
    process::Command,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use task_manager::{Outcome, task_fn};

use crate::{
    child,
    stuck::{
        SECOND, STOP_END, block, block_workers, current_thread, on_time, short, worker, workers,
    },
};

/// The total, the second after it, and what starting a process and looking late cost.
fn is_hard_exit(took: Duration) -> bool {
    println!("measured: the process ended after {} ms", took.as_millis());
    (2 * SECOND..3 * SECOND).contains(&took)
}

/// Stops the group from elsewhere once the calling runtime is blocked.
fn stop_soon(manager: &task_manager::Manager) {
    let handle = manager.handle();
    thread::spawn(move || {
        thread::sleep(Duration::from_millis(10));
        handle.stop();
    });
}

#[test]
fn a_blocked_current_thread_runtime_ends_with_the_hard_exit_its_code_and_the_names() {
    let ended = child::run(|| {
        current_thread().block_on(async {
            let manager = short().name("orders").hard_exit(70).build().unwrap();
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
    assert!(line.ends_with("alive: healthy#1, healthy#2, stuck"), "{line}");
}

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

#[test]
fn the_hard_exit_comes_after_a_clean_end_too_if_nobody_asks_for_the_report() {
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
    let line = "orders: hard exit with code 72: nobody took the report of the shutdown in time; alive: nobody";
    assert!(ended.stderr.lines().any(|told| told == line), "{}", ended.stderr);
}

#[test]
fn the_hard_exit_comes_when_the_report_is_made_and_its_waiter_is_blocked() {
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
            // Both futures are one task: the wait cannot be polled while its neighbour blocks.
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
fn no_hard_exit_comes_after_a_report_that_was_taken() {
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

#[test]
fn a_stderr_that_blocks_does_not_hold_the_hard_exit() {
    let ended = child::run(|| {
        current_thread().block_on(async {
            let manager = short().hard_exit(70).build().unwrap();
            manager
                .run(task_fn("stuck", async |_| {
                    // Whoever writes there now waits for this lock.
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

#[test]
fn a_panic_while_unwinding_ends_the_process_and_nothing_can_be_done() {
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

#[cfg(target_os = "linux")]
#[test]
fn a_process_that_was_suspended_in_its_grace_goes_on_from_the_clock_without_a_panic() {
    child::run(|| {
        workers(2).block_on(async {
            let manager = short().build().unwrap();
            let tasks = block_workers(|task| manager.run(task).unwrap(), 2);
            let script = format!("kill -STOP {0}; sleep 2; kill -CONT {0}", std::process::id());
            let began = Instant::now();
            manager.stop();
            let mut shell = Command::new("sh").args(["-c", &script]).spawn().unwrap();
            let error = manager.wait().await.unwrap_err();
            on_time("wait in a suspended process", began, 2 * SECOND);
            shell.wait().unwrap();
            assert_eq!(tasks[0].outcome(), Some(Outcome::Abandoned), "{error}");
        });
    })
    .passed();
}
