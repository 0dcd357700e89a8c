//! Programs with a real manager in which something does not end: a task, a cleanup, the log, a
//! callback.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Duration,
};

use task_core::task_fn;
use task_manager::Manager;
use task_signal::{Reaction, Signal, SignalTaskBuilder};

use super::{
    IS_LOG_STUCK, Scenario,
    managing::{add_work, runtime, say_report, short},
    say, wait_for_go, without_window,
};

pub(crate) const SCENARIOS: &[Scenario] = &[
    ("managed without an end", || manage_stubborn(without_window())),
    ("managed with a short ladder", || {
        manage_stubborn(without_window().ladder(Signal::INT, [Reaction::Abort]));
    }),
    ("managed with an endless cleanup", managed_with_an_endless_cleanup),
    ("managed with a stuck log", managed_with_a_stuck_log),
    ("managed with every worker blocked", managed_with_every_worker_blocked),
    ("managed behind blocked workers", managed_behind_blocked_workers),
    ("managed on a blocked thread", managed_on_a_blocked_thread),
    ("managed with a stuck callback", managed_with_a_stuck_callback),
];

/// A task that does not listen, and the default budget of 25 s.
fn manage_stubborn(builder: SignalTaskBuilder) {
    let task = builder.build().unwrap();
    runtime().block_on(async {
        let manager = Manager::new();
        manager.run(task).unwrap();
        add_work(&manager);
        manager.run(task_fn("stubborn", async |_| std::future::pending().await)).unwrap();
        say("ready");
        say_report(&manager.wait().await);
    });
}

fn managed_with_an_endless_cleanup() {
    let task = without_window().build().unwrap();
    runtime().block_on(async {
        let budget = Duration::from_secs(60);
        let manager = Manager::builder().shutdown_timeout(budget * 2).cleanup_timeout(budget);
        let manager = manager.escalated_cleanup_timeout(budget).build().unwrap();
        manager.run(task).unwrap();
        add_work(&manager);
        let hook = async || {
            say("endless cleanup");
            std::future::pending().await
        };
        manager.cleanup("endless cleanup", hook).unwrap();
        say("ready");
        say_report(&manager.wait().await);
    });
}

fn managed_with_a_stuck_log() {
    IS_LOG_STUCK.store(true, Ordering::SeqCst);
    manage_stubborn(without_window());
}

/// `main` waits in `block_on`, and every worker sleeps in synchronous code.
fn managed_with_every_worker_blocked() {
    let runtime = runtime();
    let result = runtime.block_on(async {
        let manager = short().build().unwrap();
        manager.run(without_window().build().unwrap()).unwrap();
        static BLOCKED: AtomicUsize = AtomicUsize::new(0);
        for name in ["stuck one", "stuck two"] {
            let task = task_fn(name, async |_| {
                BLOCKED.fetch_add(1, Ordering::SeqCst);
                loop {
                    thread::sleep(Duration::from_secs(3_600));
                }
            });
            manager.run(task).unwrap();
        }
        while BLOCKED.load(Ordering::SeqCst) < 2 {
            tokio::task::yield_now().await;
        }
        say("ready");
        manager.wait().await
    });
    say_report(&result);
    runtime.shutdown_background();
}

/// Every worker sleeps in synchronous code before the task is admitted, so it is never polled.
fn managed_behind_blocked_workers() {
    let task = without_window().build().unwrap();
    let runtime = runtime();
    static BLOCKED: AtomicUsize = AtomicUsize::new(0);
    while BLOCKED.load(Ordering::SeqCst) < 2 {
        runtime.spawn(async {
            BLOCKED.fetch_add(1, Ordering::SeqCst);
            thread::sleep(Duration::from_secs(3_600));
        });
        thread::sleep(Duration::from_millis(1));
    }
    say("ready");
    wait_for_go();
    let entered = runtime.enter();
    let manager = short().build().unwrap();
    manager.run(task_fn("unpolled", async |_| Ok(()))).unwrap();
    manager.run(task).unwrap();
    drop(entered);
    say("admitted");
    say_report(&runtime.block_on(manager.wait()));
    runtime.shutdown_background();
}

/// The only thread is blocked right after the task was admitted.
fn managed_on_a_blocked_thread() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let manager = short().hard_exit(4).build().unwrap();
        manager.run(without_window().build().unwrap()).unwrap();
        say("ready");
        thread::sleep(Duration::from_secs(3_600));
    });
}

fn managed_with_a_stuck_callback() {
    let task = without_window().on_signal(|_| {
        loop {
            thread::sleep(Duration::from_secs(3_600));
        }
    });
    let task = task.build().unwrap();
    runtime().block_on(async {
        let manager = short().build().unwrap();
        manager.run(task).unwrap();
        add_work(&manager);
        say("ready");
        say_report(&manager.wait().await);
    });
}
