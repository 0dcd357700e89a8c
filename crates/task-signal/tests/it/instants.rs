//! A signal at any instant around a change of hands is either delivered or acts by default
//! (invariant C1).

use std::{
    os::unix::process::ExitStatusExt,
    process::Stdio,
    time::{Duration, Instant},
};

use rustix::process::Signal;

#[cfg(target_os = "linux")]
use crate::child::program_with_one_heap;
use crate::child::{Child, program};

const ROUNDS: u32 = 40;

/// Lets a little more time pass in each round, so that the signal comes earlier and later than the
/// change.
fn dither(round: u32) {
    let began = Instant::now();
    while began.elapsed() < Duration::from_micros(10) * round {
        std::hint::spin_loop();
    }
}

#[test]
fn a_signal_around_the_capture_is_not_lost() {
    let mut delivered = 0;
    for round in 0..ROUNDS {
        let mut child = Child::spawn(program(), "captured at some instant", Stdio::piped());
        child.wait_for("about to capture");
        dither(round);
        child.kill(Signal::TERM);
        // It goes on for good, unless it was killed or says that the signal was delivered.
        let status = child.end();
        match status.code() {
            Some(7) => delivered += 1,
            _ => assert_eq!(status.signal(), Some(15), "{status}"),
        }
    }
    println!("{delivered} of {ROUNDS} were delivered");
}

#[cfg(target_os = "linux")]
#[test]
fn a_signal_around_a_capture_that_is_refused_is_not_lost() {
    for round in 0..ROUNDS {
        let mut child = Child::start_by(program_with_one_heap(), "captured in vain");
        child.refuse_more_threads();
        child.go();
        child.wait_for("refused: failed to start a thread that serves signals");
        dither(round);
        child.kill(Signal::TERM);
        child.ends_by(Signal::TERM);
    }
}

#[test]
fn a_signal_around_the_drop_of_a_task_that_has_not_run_is_not_lost() {
    for round in 0..ROUNDS {
        let mut child = Child::start("dropped");
        child.go();
        dither(round);
        child.kill(Signal::TERM);
        child.ends_by(Signal::TERM);
    }
}

#[test]
fn a_signal_around_the_report_is_not_lost() {
    let mut delivered = 0;
    for round in 0..ROUNDS {
        let mut child = Child::start("ending with a callback that exits");
        child.go();
        child.wait_for("cleaning up");
        child.go();
        dither(round);
        child.kill(Signal::TERM);
        let status = child.end();
        match status.code() {
            Some(7) => delivered += 1,
            _ => assert_eq!(status.signal(), Some(15), "{status}"),
        }
    }
    println!("{delivered} of {ROUNDS} were delivered");
}

#[test]
fn a_signal_that_is_read_while_another_thread_releases_it_is_not_lost() {
    for _ in 0..ROUNDS {
        let mut child = Child::start("ending while others capture");
        child.go();
        child.ends_by(Signal::TERM);
    }
}
