//! The ladder holds when everything else is stuck.

use std::{process::Stdio, thread, time::Duration};

use rustix::process::Signal;

#[cfg(target_os = "linux")]
use crate::child::program_with_one_heap;
use crate::child::{Child, program};

#[test]
fn a_request_that_never_returns_keeps_no_later_signal_from_the_group() {
    let mut child = Child::start("stuck request");
    child.kill_and_see(Signal::INT, "request_stop");
    child.kill_and_see(Signal::TERM, "request_stop: signal SIGTERM");
    // An escalation of a shutdown that has begun is requested before anything else.
    child.kill_and_see(Signal::INT, "escalate: Abort");
    child.kill(Signal::INT);
    child.ends_with(130);
}

#[test]
fn a_callback_that_never_returns_keeps_no_signal_from_the_group() {
    let mut child = Child::start("stuck callback");
    child.kill(Signal::INT);
    child.wait_for("request_stop");
    child.wait_for("called: SIGINT");
    child.kill_and_see(Signal::INT, "escalate: Abort");
    child.kill(Signal::INT);
    child.ends_with(130);
    assert_eq!(child.count("called"), 1);
}

#[test]
fn a_callback_that_never_returns_keeps_no_early_signal_from_the_group() {
    let mut child = Child::start("stuck callback early");
    child.kill_and_see(Signal::INT, "count=1");
    child.go();
    child.wait_for("called: SIGINT");
    child.wait_for("request_stop: signal SIGINT");
    child.kill_and_see(Signal::INT, "escalate: Abort");
    child.kill(Signal::INT);
    child.ends_with(130);
}

#[cfg(target_os = "linux")]
#[test]
fn a_signal_that_no_thread_can_be_started_for_is_delivered_and_keeps_no_exit_from_happening() {
    let mut child = Child::start_by(program_with_one_heap(), "stuck request");
    child.wait_for("status: waiting");
    // The offload thread is blocked from here on.
    child.kill_and_see(Signal::INT, "request_stop: signal SIGINT");
    child.refuse_more_threads();
    child.kill_and_see(Signal::TERM, "request_stop: signal SIGTERM");
    // The thread that reads signals is blocked now as well. The exit needs none.
    child.kill(Signal::INT);
    child.ends_with(130);
}

#[cfg(target_os = "linux")]
#[test]
fn a_forced_exit_that_no_thread_can_be_started_for_says_its_line() {
    let mut child = Child::start_by(program_with_one_heap(), "stuck request with a short ladder");
    child.wait_for("status: waiting");
    child.kill_and_see(Signal::INT, "request_stop: signal SIGINT");
    child.refuse_more_threads();
    child.kill(Signal::INT);
    child.wait_for("exit with code 130, without cleanup");
    child.ends_with(130);
}

#[test]
fn a_log_that_never_returns_keeps_no_signal_from_the_group() {
    let mut child = Child::start("stuck log");
    child.kill(Signal::USR1);
    child.kill_and_see(Signal::INT, "request_stop");
    child.kill_and_see(Signal::INT, "escalate: Abort");
    child.kill(Signal::USR1);
    child.kill(Signal::INT);
    child.ends_with(130);
}

#[test]
fn a_log_that_is_stuck_for_a_while_does_not_pile_up_lines() {
    let mut child = Child::start("stuck log");
    for _ in 0..2_000 {
        child.kill(Signal::USR1);
        thread::sleep(Duration::from_micros(50));
    }
    child.kill_and_see(Signal::TERM, "request_stop");
    child.go();
    child.wait_for("INFO task_signal: received SIGTERM");
    let dumps = child.count("in_step_ms=");
    assert!((1..=66).contains(&dumps), "{dumps}");
}

#[test]
fn everything_works_with_every_worker_of_the_runtime_blocked() {
    let mut child = Child::start("stuck runtime");
    child.kill_and_see(Signal::USR1, "received SIGUSR1");
    child.wait_for("task `loud` is running");
    child.kill_and_see(Signal::TERM, "request_stop: signal SIGTERM");
    child.kill_and_see(Signal::INT, "request_stop: signal SIGINT");
    child.kill_and_see(Signal::INT, "escalate: Abort");
    child.kill(Signal::INT);
    child.ends_with(130);
}

#[test]
fn the_third_interrupt_exits_though_nobody_reads_standard_error() {
    let (_reader, writer) = std::io::pipe().unwrap();
    let mut child = Child::spawn(program(), "stuck stderr", Stdio::from(writer));
    child.wait_for("ready");
    child.kill_and_see(Signal::INT, "request_stop");
    child.kill_and_see(Signal::INT, "escalate: Abort");
    child.kill(Signal::INT);
    child.ends_with(130);
}
