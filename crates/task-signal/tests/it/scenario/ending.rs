//! Programs that go on after their group has ended.

use std::{fs, sync::Arc, task::Poll, thread, time::Duration};

use task_core::{Context, Step, Task, scope::StageCell};
use task_signal::{AfterEnd, Signal, SignalTask, SignalTaskBuilder, SignalTrigger};

use super::{Scenario, say, serve, serve_for_good, wait_for_go, without_window};
use crate::group::Loud;

pub(crate) const SCENARIOS: &[Scenario] = &[
    ("ending", || end(without_window(), true)),
    ("ending unnoticed", || end(without_window(), false)),
    ("ending with nothing after", || end(without_window().after_end(AfterEnd::Nothing), true)),
    ("ending with a long window", ending_with_a_long_window),
    ("ending with a real-time signal", ending_with_a_real_time_signal),
    ("ending with a harmless signal", || end(without_window().signals([libc::SIGWINCH]), true)),
    ("ending with a callback that exits", || end(exiting(), true)),
    ("ending while others capture", ending_while_others_capture),
    ("captured at some instant", captured_at_some_instant),
    ("captured in vain", captured_in_vain),
    ("dropped", dropped),
    ("dropped without a group", dropped_without_a_group),
    ("two lives", two_lives),
    ("many lives", many_lives),
];

/// A group whose task ends first, then the cleanups, and the process only later.
fn end(builder: SignalTaskBuilder, is_noticed: bool) {
    let group = Loud::new();
    let thread = serve(builder.build().unwrap(), &group);
    say("ready");
    wait_for_go();
    group.go_to(Step::Stopping);
    group.cancel();
    thread.join().unwrap();
    group.go_to(Step::CleaningUp);
    say("cleaning up");
    wait_for_go();
    if is_noticed {
        group.go_to(Step::Ended);
    } else {
        group.go_quietly_to(Step::Ended);
    }
    say("ended");
    wait_for_go();
}

fn ending_with_a_long_window() {
    end(SignalTask::builder().repeat_window(Duration::from_secs(3600)), true);
}

fn ending_with_a_real_time_signal() {
    end(without_window().signals([libc::SIGRTMIN()]), true);
}

/// Exits as soon as a signal is delivered.
fn exiting() -> SignalTaskBuilder {
    without_window().on_signal(|_| std::process::exit(7))
}

/// Two threads release the signals at once: this one, and the one that has read a signal. Others
/// use the record of claims all the time, so that the release takes a while.
fn ending_while_others_capture() {
    let group = Loud::new();
    let thread = serve(without_window().build().unwrap(), &group);
    group.cancel();
    thread.join().unwrap();
    for _ in 0..2 {
        thread::spawn(|| {
            loop {
                let others = SignalTrigger::builder().signals(libc::SIGRTMIN()..libc::SIGRTMAX());
                drop(others.action("act", async |_| Ok(())).build().unwrap());
            }
        });
    }
    say("ready");
    wait_for_go();
    group.go_quietly_to(Step::Ended);
    signal_hook::low_level::raise(libc::SIGTERM).unwrap();
    group.go_to(Step::Ended);
    wait_for_go();
}

fn captured_at_some_instant() {
    say("about to capture");
    serve_for_good(exiting());
}

/// Tries to capture signals for good, with no thread left.
fn captured_in_vain() {
    say("ready");
    wait_for_go();
    // What is wrong with the settings is found before a thread is asked for.
    assert!(SignalTask::builder().signals([9]).build().unwrap_err().is_forbidden());
    loop {
        let error = SignalTask::new().unwrap_err();
        assert!(error.is_refused());
        say(&format!("refused: {error}"));
    }
}

fn dropped() {
    let task = without_window().build().unwrap();
    say("ready");
    wait_for_go();
    drop(task);
    say("dropped");
    wait_for_go();
}

/// Its scope belongs to no group, so there will be no report.
fn dropped_without_a_group() {
    let task = without_window().build().unwrap();
    let context = Context::new(Arc::new(StageCell::new()));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let mut run = std::pin::pin!(task.run(context));
        let polled = std::future::poll_fn(|cx| Poll::Ready(run.as_mut().poll(cx))).await;
        assert!(matches!(polled, Poll::Pending));
        say("ready");
        wait_for_go();
    });
    say("dropped");
    wait_for_go();
}

fn two_lives() {
    for _ in 0..2 {
        let group = Loud::new();
        let thread = serve(without_window().signals([Signal::TERM]).build().unwrap(), &group);
        say("ready");
        wait_for_go();
        group.cancel();
        thread.join().unwrap();
        group.go_to(Step::Ended);
    }
    say("ended");
    wait_for_go();
}

/// Counts this process's threads and open files before and after many tasks of both kinds.
fn many_lives() {
    let count = |what: &str| fs::read_dir(format!("/proc/self/{what}")).unwrap().count();
    let live = |is_run: bool| {
        let group = Loud::new();
        let task = SignalTask::new().unwrap();
        let trigger = SignalTrigger::new("act", async |_| Ok(())).unwrap();
        if is_run {
            let threads = [serve(task, &group), serve(trigger, &group)];
            group.cancel();
            threads.into_iter().for_each(|thread| thread.join().unwrap());
        }
        group.go_to(Step::Ended);
    };
    // The first ones open what the process keeps: the runtime's own channel for signals.
    live(true);
    let (threads, files) = (count("task"), count("fd"));
    for round in 0..50 {
        live(round % 2 == 0);
    }
    // The threads end by themselves, soon; the watchdog sees to it that this does.
    while count("task") > threads || count("fd") > files {
        thread::sleep(Duration::from_millis(1));
    }
    say("ready");
}
