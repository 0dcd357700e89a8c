//! The deadline thread while nothing is due, and on a paused clock.

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
    support::{SECOND, current_thread, short, worker, workers},
};

fn paused() -> Runtime {
    runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap()
}

/// How often each thread of the manager was scheduled, by name and thread id.
#[cfg(target_os = "linux")]
fn switches() -> BTreeMap<String, u64> {
    let mut switches = BTreeMap::new();
    for thread in fs::read_dir("/proc/self/task").unwrap() {
        let folder = thread.unwrap().path();
        // This thread has ended meanwhile.
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
fn no_thread_of_the_manager_runs_while_nothing_is_due() {
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
            // The thread wakes once more at the former deadline of that manager.
            thread::sleep(SECOND);
            assert_quiet("after the end of a manager");
            let blocked = short().build().unwrap();
            blocked
                .run(task_fn("late", async |ctx| {
                    ctx.cancelled().await;
                    thread::sleep(SECOND + SECOND / 5);
                    Ok(())
                }))
                .unwrap();
            tokio::time::sleep(Duration::from_millis(50)).await;
            blocked.shutdown().await.unwrap_err();
            assert_quiet("after a blocked shutdown");
            assert_eq!(service.group().step(), Step::Running);
            service.shutdown().await.unwrap();
        });
    })
    .passed();
}

#[test]
fn on_a_paused_clock_the_deadline_thread_enforces_no_deadline_early() {
    child::run(|| {
        paused().block_on(async {
            let manager = short().build().unwrap();
            let task = manager
                .run(task_fn("blocks for two seconds of real time", async |ctx| {
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

/// Advances the paused clock while the runtime is blocked, wakes the deadline thread, and checks
/// that it leaves the deadline to the timer.
fn leaves_a_deadline_to_the_timer(behind: Duration, advance: Duration) {
    paused().block_on(async {
        let manager = short().build().unwrap();
        // Time in which the paused clock does not advance.
        thread::sleep(behind);
        let handle = manager.handle();
        let (sender, seen) = mpsc::channel();
        let busy = manager.run(task_fn("busy", async move |ctx| {
            ctx.cancelled().await;
            let mut advanced = pin!(tokio::time::advance(advance));
            let _: Poll<()> = advanced.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            // The thread reads all deadlines when one is added that is earlier than its next.
            let total = Duration::from_millis(300);
            let sooner = Manager::builder()
                .shutdown_timeout(total)
                .cleanup_timeout(Duration::ZERO)
                .build()?;
            sooner.run(worker("sooner")).unwrap();
            sooner.stop();
            thread::sleep(total);
            sender.send(handle.group().unwrap().snapshot().tasks[0].state)?;
            Ok(())
        }));
        busy.unwrap();
        tokio::task::yield_now().await;
        let _ = manager.shutdown().await;
        // The abort has been due since the clock was advanced, and only the timer may do it.
        assert_eq!(seen.try_recv().unwrap(), TaskState::Stopping);
    });
}

#[test]
fn on_a_paused_clock_that_is_ahead_a_deadline_is_left_to_the_timer() {
    child::run(|| leaves_a_deadline_to_the_timer(Duration::ZERO, 10 * SECOND)).passed();
}

#[test]
fn on_a_paused_clock_that_is_behind_a_deadline_is_left_to_the_timer() {
    let (behind, advance) = (SECOND, Duration::from_millis(700));
    child::run(move || leaves_a_deadline_to_the_timer(behind, advance)).passed();
}

/// Invariants 3 and 5.
#[test]
fn a_shutdown_proceeds_without_a_wait_and_a_late_wait_gets_its_report() {
    child::run(|| {
        let (sender, cleaned) = mpsc::channel();
        let runtime = workers(1);
        let entered = runtime.enter();
        let manager = short().build().unwrap();
        manager.run(worker("work")).unwrap();
        manager
            .cleanup("close", async move || {
                sender.send(()).unwrap();
                Ok(())
            })
            .unwrap();
        manager.stop();
        cleaned.recv_timeout(5 * SECOND).unwrap();
        drop(entered);
        // A late wait on another runtime gets the report.
        let report = current_thread().block_on(manager.wait()).unwrap();
        assert_eq!(report.cleanups().len(), 1);
    })
    .passed();
}
