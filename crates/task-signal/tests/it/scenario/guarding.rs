//! Programs that write a report, or make another group, after their group has ended.

use std::{fs, thread, time::Duration};

use task_core::task_fn;
use task_manager::{Manager, Report, ShutdownError};
use task_signal::{AfterEnd, CaptureGuard, Signal, SignalTask, SignalTaskBuilder, SignalTrigger};

use super::{
    Scenario,
    managing::{add_work, runtime, say_report},
    say, wait_for_go, without_window,
};

pub(crate) const SCENARIOS: &[Scenario] = &[
    ("quick", quick),
    ("quick with a guard", quick_with_a_guard),
    ("guarded", || guarded(SignalTask::builder())),
    ("guarded without a window", || guarded(without_window())),
    ("guarded with nothing after", || guarded(without_window().after_end(AfterEnd::Nothing))),
    ("guarded and dropped early", guarded_and_dropped_early),
    ("starting anew", || start_anew(SignalTask::builder)),
    ("starting anew with a long window", || {
        start_anew(|| SignalTask::builder().repeat_window(Duration::from_secs(3600)));
    }),
    ("starting anew until a termination", start_anew_until_a_termination),
    ("between two groups", between_two_groups),
    ("between two overlapping groups", between_two_overlapping_groups),
    ("many guarded lives", many_guarded_lives),
];

/// Runs a group until a signal stops it.
fn live(task: SignalTask) -> Result<Report, ShutdownError> {
    runtime().block_on(async {
        let manager = Manager::new();
        // Before a signal that waits stops the group.
        manager.run(idle()).unwrap();
        manager.run(task).unwrap();
        say("ready");
        manager.wait().await
    })
}

fn idle() -> impl task_core::Task {
    task_fn("idle", async |ctx| {
        ctx.cancelled().await;
        Ok(())
    })
}

/// Its report takes a while to write.
fn quick() {
    let result = live(SignalTask::new().unwrap());
    thread::sleep(Duration::from_millis(10));
    say_report(&result);
}

fn quick_with_a_guard() {
    let _guard = CaptureGuard::new();
    quick();
}

/// Writes its report, and lets go of the guard, when the test says so.
fn guarded(builder: SignalTaskBuilder) {
    let (guard, other) = (CaptureGuard::new(), CaptureGuard::new());
    let result = live(builder.build().unwrap());
    drop(other);
    say("ended");
    wait_for_go();
    say_report(&result);
    drop(guard);
    wait_for_go();
}

/// A task that never ran, of which a signal came.
fn guarded_and_dropped_early() {
    let _guard = CaptureGuard::new();
    let task = without_window().build().unwrap();
    say("ready");
    wait_for_go();
    drop(task);
    say("dropped");
    wait_for_go();
    say_report(&live(without_window().build().unwrap()));
}

/// At each SIGHUP, a group anew, until a SIGTERM.
fn start_anew(builder: impl Fn() -> SignalTaskBuilder) {
    let _guard = CaptureGuard::new();
    loop {
        let result = live(builder().signals([Signal::HUP, Signal::TERM]).build().unwrap());
        thread::sleep(Duration::from_millis(2));
        if !result.as_ref().unwrap().cause().to_string().contains("SIGHUP") {
            return say_report(&result);
        }
    }
}

/// Starts anew at a SIGHUP, unless its group was given a SIGTERM as well.
fn start_anew_until_a_termination() {
    let _guard = CaptureGuard::new();
    let runtime = runtime();
    loop {
        let is_over = runtime.block_on(async {
            let manager = Manager::new();
            manager.run(idle()).unwrap();
            let builder = without_window().signals([Signal::HUP, Signal::TERM]);
            manager.run(builder.build().unwrap()).unwrap();
            say("ready");
            manager.wait().await.unwrap();
            // The last signal may be on its way into the record.
            tokio::time::sleep(Duration::from_millis(1)).await;
            manager.group().snapshot().signals.iter().any(|signal| signal.name == "SIGTERM")
        });
        if is_over {
            return;
        }
    }
}

fn counting() -> SignalTrigger {
    let builder = SignalTrigger::builder().signals([Signal::USR1]).action("count", async |_| {
        say("ran");
        Ok(())
    });
    builder.build().unwrap()
}

/// A group with a signal task and a trigger, and later another one.
fn between_two_groups() {
    let guard = CaptureGuard::new();
    for _ in 0..2 {
        runtime().block_on(async {
            let manager = Manager::new();
            manager.run(counting()).unwrap();
            manager.run(idle()).unwrap();
            manager.run(without_window().build().unwrap()).unwrap();
            say("ready");
            say_report(&manager.wait().await);
        });
        say("between");
        wait_for_go();
    }
    drop(guard);
    say("released");
    wait_for_go();
}

/// The second task is made while the first group is there.
fn between_two_overlapping_groups() {
    let runtime = runtime();
    let second = runtime.block_on(async {
        let manager = Manager::new();
        manager.run(SignalTask::new().unwrap()).unwrap();
        add_work(&manager);
        let second = SignalTask::new().unwrap();
        manager.shutdown().await.unwrap();
        second
    });
    say("between");
    wait_for_go();
    say_report(&live(second));
}

/// Counts this process's threads and open files before and after many groups under one guard.
fn many_guarded_lives() {
    let count = |what: &str| fs::read_dir(format!("/proc/self/{what}")).unwrap().count();
    let _guard = CaptureGuard::new();
    let live = || {
        runtime().block_on(async {
            let manager = Manager::new();
            manager.run(SignalTask::new().unwrap()).unwrap();
            manager.run(counting()).unwrap();
            manager.run(idle()).unwrap();
            manager.shutdown().await.unwrap();
        });
    };
    live();
    let (threads, files) = (count("task"), count("fd"));
    for _ in 0..30 {
        live();
    }
    // The threads end by themselves, soon; the watchdog sees to it that this does. The manager has
    // some of its own, which it starts when it needs them.
    while count("task") > threads + 10 || count("fd") > files + 10 {
        thread::sleep(Duration::from_millis(1));
    }
    say("ready");
}
