//! The deadline thread when nothing is due, and on a clock that a test has paused.

use std::{
    collections::BTreeMap,
    fs,
    pin::pin,
    sync::mpsc,
    task::{Context, Poll, Waker},
    thread,
    time::Duration,
};

use task_manager::{Manager, Outcome, Step, TaskState, task_fn};
use tokio::runtime::{self, Runtime};

use crate::{
    child,
    stuck::{SECOND, current_thread, short, worker, workers},
};

fn paused() -> Runtime {
    runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap()
}

/// How often each of our threads was scheduled, by thread id.
#[cfg(target_os = "linux")]
fn switches() -> BTreeMap<String, u64> {
    let mut switches = BTreeMap::new();
    for thread in fs::read_dir("/proc/self/task").unwrap() {
        let folder = thread.unwrap().path();
        // A thread that has ended meanwhile is none of ours.
        let Ok(name) = fs::read_to_string(folder.join("comm")) else { continue };
        if !name.starts_with("task-") {
            continue;
        }
        let status = fs::read_to_string(folder.join("status")).unwrap();
        let counts = status.lines().filter(|line| line.contains("ctxt_switches"));
        let sum =
            counts.map(|line| line.split_whitespace().last().unwrap().parse::<u64>().unwrap());
        switches.insert(format!("{} {}", name.trim(), folder.display()), sum.sum());
    }
    switches
}

#[cfg(target_os = "linux")]
fn assert_quiet(what: &str) {
    thread::sleep(Duration::from_millis(200)); // for threads that just start or go to sleep
    let before = switches();
    assert!(before.keys().any(|name| name.starts_with("task-deadlines")), "{before:?}");
    thread::sleep(SECOND);
    assert_eq!(before, switches(), "{what}");
}

#[cfg(target_os = "linux")]
#[test]
fn no_thread_of_ours_runs_while_nothing_is_due() {
    child::run(|| {
        workers(2).block_on(async {
            let service = Manager::new();
            service.run(worker("idle")).unwrap();
            let busy = service.run(task_fn("busy", async |ctx| {
                while !ctx.is_cancelled() {
                    ctx.set_status("busy");
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                Ok(())
            }));
            busy.unwrap();
            assert_quiet("a service at work");
            let other = short().build().unwrap();
            other.run(worker("short")).unwrap();
            other.shutdown().await.unwrap();
            drop(other);
            // Once more it looks at what was the deadline of that one.
            thread::sleep(SECOND);
            assert_quiet("after the end of a manager");
            let wedged = short().build().unwrap();
            wedged
                .run(task_fn("late", async |ctx| {
                    ctx.cancelled().await;
                    thread::sleep(SECOND);
                    Ok(())
                }))
                .unwrap();
            tokio::time::sleep(Duration::from_millis(50)).await;
            wedged.shutdown().await.unwrap_err();
            assert_quiet("after a wedge");
            assert_eq!(service.group().step(), Step::Running);
            service.shutdown().await.unwrap();
        });
    })
    .passed();
}

#[test]
fn on_a_paused_clock_the_deadline_thread_does_not_fire_early() {
    child::run(|| {
        paused().block_on(async {
            let manager = short().build().unwrap();
            let task = manager
                .run(task_fn("takes two seconds that the clock does not see", async |ctx| {
                    ctx.cancelled().await;
                    thread::sleep(2 * SECOND);
                    Ok(())
                }))
                .unwrap();
            tokio::task::yield_now().await;
            manager.shutdown().await.unwrap();
            assert_eq!(task.outcome(), Some(Outcome::Completed));
        });
    })
    .passed();
}

/// Leaps on the clock while the runtime is blocked, makes the deadline thread look, and checks
/// that it leaves the deadline to the timer.
fn leaves_a_deadline_to_the_timer(behind: Duration, leap: Duration) {
    paused().block_on(async {
        let manager = short().build().unwrap();
        // Time that the clock does not see.
        thread::sleep(behind);
        let handle = manager.handle();
        let (told, seen) = mpsc::channel();
        let busy = manager.run(task_fn("busy", async move |ctx| {
            ctx.cancelled().await;
            let mut jump = pin!(tokio::time::advance(leap));
            let _: Poll<()> = jump.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            // The thread looks at all deadlines when one comes that is sooner than those that it knows.
            let total = Duration::from_millis(300);
            let sooner = Manager::builder()
                .shutdown_timeout(total)
                .cleanup_timeout(Duration::ZERO)
                .build()?;
            sooner.run(worker("sooner")).unwrap();
            sooner.stop();
            thread::sleep(total);
            told.send(handle.group().unwrap().snapshot().tasks[0].state)?;
            Ok(())
        }));
        busy.unwrap();
        tokio::task::yield_now().await;
        let _ = manager.shutdown().await;
        // The abort has been due since the leap, and is the timer's alone.
        assert_eq!(seen.try_recv().unwrap(), TaskState::Stopping);
    });
}

#[test]
fn on_a_paused_clock_that_is_ahead_a_deadline_is_left_to_the_timer() {
    child::run(|| leaves_a_deadline_to_the_timer(Duration::ZERO, 10 * SECOND)).passed();
}

#[test]
fn on_a_paused_clock_that_is_behind_a_deadline_is_left_to_the_timer() {
    let (behind, leap) = (SECOND, Duration::from_millis(700));
    child::run(move || leaves_a_deadline_to_the_timer(behind, leap)).passed();
}

#[test]
fn a_shutdown_needs_nobody_who_waits() {
    child::run(|| {
        let (told, cleaned) = mpsc::channel();
        let runtime = workers(1);
        let entered = runtime.enter();
        let manager = short().build().unwrap();
        manager.run(worker("work")).unwrap();
        manager
            .cleanup("close", async move || {
                told.send(()).unwrap();
                Ok(())
            })
            .unwrap();
        manager.stop();
        cleaned.recv_timeout(5 * SECOND).unwrap();
        drop(entered);
        // A late wait, on another runtime, gets the same report.
        let report = current_thread().block_on(manager.wait()).unwrap();
        assert_eq!(report.cleanups().len(), 1);
    })
    .passed();
}
