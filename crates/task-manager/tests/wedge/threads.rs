//! Threads of a task that fail while nothing can be polled: the group hears of it from them.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use task_manager::{Context, Manager, Step, blocking_task, task_fn};

use crate::child;
use crate::support::{SECOND, assert_by, block_workers, context, short, workers};

/// Runs a task with a thread that fails on request, blocks every worker, asks the thread to fail,
/// and asserts that it stops the group.
fn fails_with_every_worker_blocked(
    run: impl FnOnce(&Manager, mpsc::Receiver<()>, mpsc::Sender<()>),
) {
    workers(2).block_on(async {
        let manager = short().build().unwrap();
        let ctx = context(&manager);
        let ((release, released), (sender, is_running)) = (mpsc::channel(), mpsc::channel());
        run(&manager, released, sender);
        is_running.recv_timeout(5 * SECOND).unwrap();
        block_workers(|task| manager.run(task).unwrap(), 2);
        let began = Instant::now();
        release.send(()).unwrap();
        while manager.group().step() == Step::Running && began.elapsed() < SECOND {
            thread::sleep(Duration::from_millis(1));
        }
        assert!(ctx.is_cancelled());
        let error = manager.wait().await.unwrap_err();
        assert_by("the end after a thread failed", began, SECOND);
        let report = error.report().unwrap();
        assert_eq!(error.root().unwrap().name, "thread", "{report}");
        let failures = report.failures().iter().filter(|failure| failure.name == "thread");
        assert_eq!(failures.count(), 1, "what is left of it is no second failure: {report}");
        assert!(report.cause().to_string().contains("task `thread`"), "{report}");
    });
}

/// Invariants 1 and 2.
#[test]
fn the_error_and_the_panic_of_a_blocking_task_stop_the_group_with_every_worker_blocked() {
    child::run(|| {
        for panics in [false, true] {
            fails_with_every_worker_blocked(|manager, released, is_running| {
                let task = blocking_task("thread", move |_| {
                    is_running.send(())?;
                    released.recv()?;
                    assert!(!panics, "over");
                    anyhow::bail!("over")
                });
                manager.run(task).unwrap();
            });
        }
    })
    .passed();
}

/// Invariants 1 and 2.
#[test]
fn a_panic_of_a_thread_with_a_hold_stops_the_group_with_every_worker_blocked() {
    child::run(|| {
        for enters in [false, true] {
            fails_with_every_worker_blocked(|manager, released, is_running| {
                let task = task_fn("thread", async move |ctx: Context| {
                    let (hold, inner) = (ctx.hold(), ctx.clone());
                    thread::spawn(move || {
                        let _hold = hold;
                        let body = move || {
                            is_running.send(()).unwrap();
                            released.recv().unwrap();
                            panic!("over");
                        };
                        if enters { inner.enter(body) } else { body() }
                    });
                    ctx.cancelled().await;
                    Ok(())
                });
                manager.run(task).unwrap();
            });
        }
    })
    .passed();
}
