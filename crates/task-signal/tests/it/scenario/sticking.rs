//! Programs in which something is stuck.

use std::{
    io::{Write, stderr},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::Duration,
};

use task_core::Task;
use task_signal::{Reaction, Signal, SignalTask, SignalTaskBuilder};

use super::{IS_LOG_STUCK, Scenario, say, serve, serve_for_good, wait_for_go, without_window};
use crate::group::Loud;

pub(crate) const SCENARIOS: &[Scenario] = &[
    ("stuck request", || stuck_request(without_window())),
    ("stuck request with a short ladder", || {
        stuck_request(without_window().ladder(Signal::INT, [Reaction::Stop, Reaction::Exit]));
    }),
    ("stuck callback", stuck_callback),
    ("stuck callback early", stuck_callback_early),
    ("callback that is stuck for a while", callback_that_is_stuck_for_a_while),
    ("stuck log", stuck_log),
    ("stuck runtime", stuck_runtime),
    ("stuck stderr", stuck_stderr),
];

/// A manager that does what none may: it never returns from a request.
fn stuck_request(builder: SignalTaskBuilder) {
    let group = Loud::new();
    group.is_stuck.store(true, Ordering::SeqCst);
    let _thread = serve(builder.build().unwrap(), &group);
    say("ready");
    wait_for_go();
}

fn stuck_callback() {
    serve_for_good(without_window().on_signal(|received| {
        say(&format!("called: {received}"));
        sleep_for_good();
    }));
}

fn stuck_callback_early() {
    let builder = without_window().on_signal(|received| {
        say(&format!("called: {received}"));
        sleep_for_good();
    });
    let task = builder.build().unwrap();
    say("ready");
    wait_for_go();
    let _thread = serve(task, &Loud::new());
    wait_for_go();
}

fn callback_that_is_stuck_for_a_while() {
    static MAY_RETURN: AtomicBool = AtomicBool::new(false);
    let builder = without_window().on_signal(|received| {
        say(&format!("called: {received}"));
        while !MAY_RETURN.load(Ordering::SeqCst) {
            thread::sleep(Duration::from_millis(1));
        }
    });
    serve_for_good(builder);
    MAY_RETURN.store(true, Ordering::SeqCst);
    wait_for_go();
}

fn stuck_log() {
    IS_LOG_STUCK.store(true, Ordering::SeqCst);
    serve_for_good(without_window().dump_on(Signal::USR1));
    IS_LOG_STUCK.store(false, Ordering::SeqCst);
    wait_for_go();
}

/// Every worker of the runtime sleeps in synchronous code.
fn stuck_runtime() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let group = Loud::new();
    let task = without_window().dump_on(Signal::USR1).build().unwrap();
    runtime.spawn(task.run(group.context()));
    static BLOCKED: AtomicUsize = AtomicUsize::new(0);
    while BLOCKED.load(Ordering::SeqCst) < 2 {
        runtime.spawn(async {
            BLOCKED.fetch_add(1, Ordering::SeqCst);
            sleep_for_good();
        });
        thread::sleep(Duration::from_millis(1));
    }
    say("ready");
    wait_for_go();
}

/// Standard error is a pipe that is full, and somebody else is stuck in it, its lock held.
fn stuck_stderr() {
    static WRITTEN: AtomicUsize = AtomicUsize::new(0);
    thread::spawn(|| {
        loop {
            stderr().write_all(b"x").unwrap();
            WRITTEN.fetch_add(1, Ordering::SeqCst);
        }
    });
    let mut before = 0;
    loop {
        thread::sleep(Duration::from_millis(300));
        match WRITTEN.load(Ordering::SeqCst) {
            now if now == before && now > 0 => break,
            now => before = now,
        }
    }
    serve_for_good(SignalTask::builder().repeat_window(Duration::ZERO));
}

fn sleep_for_good() {
    loop {
        thread::sleep(Duration::from_secs(3600));
    }
}
