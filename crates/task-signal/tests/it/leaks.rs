//! What is left when tasks are gone.

use std::{fs, thread, time::Duration};

use rustix::process::Signal;

use crate::child::Child;

#[test]
fn tasks_that_are_gone_leave_no_thread_and_no_open_file() {
    let mut child = Child::start("many lives");
    child.ends_with(0);
}

#[test]
fn a_flood_of_signals_starts_no_crowd_of_threads() {
    let mut child = Child::start("ladder");
    child.wait_for("status: waiting");
    let count = |child: &Child| fs::read_dir(format!("/proc/{}/task", child.pid)).unwrap().count();
    let before = count(&child);
    for _ in 0..3_000 {
        child.kill(Signal::TERM);
        thread::sleep(Duration::from_micros(50));
    }
    child.kill_and_see(Signal::INT, "request_stop: signal SIGINT");
    // One keeps the watch, one delivers, one writes the log, and one more may have been on its way.
    assert!(count(&child) <= before + 2, "{before} threads became {}", count(&child));
}
