//! Signals and a real manager.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::{
    child::{Child, from_us},
    undisturbed::in_real_time,
};

#[test]
fn a_termination_is_the_cause_in_the_report_and_no_failure() {
    let mut child = Child::start("managed");
    child.kill(Signal::TERM);
    let report = child.wait_for("code 0 after");
    let cause = format!("signal SIGTERM{}", from_us());
    assert!(report.contains(&cause), "{report}");
    assert_eq!((child.count("first cleanup"), child.count("second cleanup")), (1, 1));
    // The group is gone, the process is not.
    child.kill(Signal::TERM);
    child.ends_by(Signal::TERM);
}

#[test]
fn the_line_about_a_signal_is_in_the_log_before_the_group_has_ended() {
    let mut child = Child::start("managed to the end with a slow log");
    child.kill(Signal::TERM);
    child.ends_with(0);
    let received = child.position("received SIGTERM").expect("the line about the signal");
    assert!(received < child.position("shutdown ended").unwrap());
}

#[test]
fn a_signal_that_comes_before_the_manager_stops_it_in_order() {
    let mut child = Child::start("managed early");
    child.kill(Signal::TERM);
    child.go();
    child.wait_for("work: cancelled");
    child.wait_for("second cleanup");
    child.wait_for("first cleanup");
    child.wait_for("code 0 after");
    child.wait_for("called: SIGTERM");
    child.ends_with(0);
}

#[test]
fn the_second_interrupt_ends_the_grace_and_cleans_up() {
    for scenario in ["managed without an end", "managed with a stuck log"] {
        let mut child = Child::start(scenario);
        let began = Instant::now();
        child.kill_and_see(Signal::INT, "work: cancelled");
        child.kill_and_see(Signal::INT, "first cleanup");
        assert!(began.elapsed() < Duration::from_secs(10), "the grace of 25 s was slept in full");
        assert_eq!(child.count("first cleanup"), 1);
    }
}

#[test]
fn a_signal_that_aborts_at_once_is_the_cause_in_the_report() {
    let mut child = Child::start("managed with a short ladder");
    child.kill(Signal::INT);
    let report = child.wait_for("code 1 after");
    assert!(report.contains("signal SIGINT"), "{report}");
}

#[test]
fn the_third_interrupt_exits_in_the_midst_of_a_cleanup() {
    let mut child = Child::start("managed with an endless cleanup");
    child.kill_and_see(Signal::INT, "work: cancelled");
    child.wait_for("endless cleanup");
    child.kill_and_see(Signal::INT, "count=2");
    child.kill(Signal::INT);
    let line = child.wait_for("exit with code 130, without cleanup");
    assert!(line.ends_with("; alive: endless cleanup"), "{line}");
    child.ends_with(130);
    assert_eq!(child.count("first cleanup"), 0);
}

#[test]
fn with_every_worker_blocked_a_termination_ends_within_the_budget_and_names_the_stuck() {
    in_real_time(|| {
        let mut child = Child::start("managed with every worker blocked");
        let began = Instant::now();
        child.kill(Signal::TERM);
        let report = child.wait_for("code 1 after");
        assert!(report.contains("signal SIGTERM"), "{report}");
        child.wait_for("in the report: task `stuck one`");
        child.wait_for("in the report: task `stuck two`");
        child.ends_with(0);
        assert!(began.elapsed() < Duration::from_millis(1_500 + 1_500), "{:?}", began.elapsed());
    });
}

#[test]
fn with_every_worker_blocked_three_interrupts_end_the_process_at_once_and_name_the_stuck() {
    in_real_time(|| {
        let mut child = Child::start("managed with every worker blocked");
        child.kill_and_see(Signal::INT, "count=1");
        child.kill_and_see(Signal::INT, "count=2");
        child.kill(Signal::INT);
        let line = child.wait_for("exit with code 130, without cleanup");
        assert!(line.contains("; alive: "), "{line}");
        assert!(line.contains("stuck one") && line.contains("stuck two"), "{line}");
        child.ends_with(130);
    });
}

#[test]
fn a_callback_that_never_returns_is_named_in_the_report() {
    in_real_time(|| {
        let mut child = Child::start("managed with a stuck callback");
        child.kill(Signal::TERM);
        child.wait_for("in the report: task `signals`");
        child.wait_for("first cleanup");
    });
}

#[test]
fn a_failed_action_leaves_the_report_clean_by_default() {
    let mut child = Child::start("managed with a trigger");
    for run in 1..4 {
        child.kill_and_see(Signal::HUP, &format!("ran: {run}"));
    }
    child.kill(Signal::TERM);
    child.wait_for("code 0 after");
    assert_eq!(child.count("in the report"), 0);
    child.ends_with(0);
}

#[test]
fn a_failed_action_is_in_the_report_if_so_set_and_stops_nothing() {
    let mut child = Child::start("managed with a trigger that records");
    for run in 1..4 {
        child.kill_and_see(Signal::HUP, &format!("ran: {run}"));
    }
    child.kill(Signal::TERM);
    let failure = child.wait_for("in the report: ");
    assert!(failure.contains("action `configuration` failed: no disk"), "{failure}");
    child.wait_for("code 1 after");
    child.ends_with(0);
}

#[test]
fn neither_task_keeps_a_group_alive_that_has_nothing_else_to_do() {
    let mut child = Child::start("managed with nothing else to do");
    child.wait_for("code 0 after");
    child.ends_with(0);
}

#[test]
fn signals_are_served_until_the_report_though_the_task_was_stopped_alone() {
    let mut child = Child::start("managed and stopped alone");
    child.kill(Signal::TERM);
    let report = child.wait_for("code 0 after");
    assert!(report.contains("signal SIGTERM"), "{report}");
}

#[test]
fn signals_kill_soon_after_the_manager_was_dropped_and_when_its_runtime_is_gone() {
    for scenario in ["managed by one that is dropped", "managed on a runtime that is gone"] {
        let mut child = Child::start(scenario);
        // Those that still find a group are delivered to it.
        let began = Instant::now();
        while child.try_kill(Signal::TERM).is_ok() && !child.is_over() {
            assert!(began.elapsed() < Duration::from_secs(20), "{scenario}");
            thread::sleep(Duration::from_millis(10));
        }
        child.ends_by(Signal::TERM);
    }
}

#[test]
fn a_storm_of_signals_stops_the_group_once_and_cleans_up_once() {
    let mut child = Child::start("managed in a storm");
    let status = storm(&mut child);
    let killed = std::os::unix::process::ExitStatusExt::signal(&status);
    // Once the report is made, the storm meets the default action; whether the exit is faster is a
    // matter of luck.
    let fatal = [Signal::TERM, Signal::QUIT, Signal::HUP].map(|signal| Some(signal.as_raw()));
    assert!(status.code() == Some(0) || fatal.contains(&killed), "{status}");
    for cleanup in ["first cleanup", "second cleanup", "slow cleanup"] {
        assert_eq!(child.count(cleanup), 1);
    }
    assert_eq!(child.count("work: cancelled"), 1);
}

#[test]
fn a_storm_of_signals_does_not_change_the_exit_code_if_nothing_is_to_happen_after_the_end() {
    let mut child = Child::start("managed in a storm to the exit");
    let status = storm(&mut child);
    assert_eq!(status.code(), Some(0), "{status}");
    let report = child.wait_for("code 0 after");
    assert!(report.contains(&from_us()), "{report}");
    for cleanup in ["first cleanup", "second cleanup", "slow cleanup"] {
        assert_eq!(child.count(cleanup), 1);
    }
}

/// Sends three kinds of signals, a thousand a second in all, until the process has closed its
/// output.
fn storm(child: &mut Child) -> std::process::ExitStatus {
    let is_over = Arc::new(AtomicBool::new(false));
    let pid = Pid::from_raw(child.pid).unwrap();
    let sender = thread::spawn({
        let is_over = Arc::clone(&is_over);
        move || {
            let began = Instant::now();
            let mut sent = 0;
            for signal in [Signal::TERM, Signal::QUIT, Signal::HUP].into_iter().cycle() {
                if is_over.load(Ordering::SeqCst) || began.elapsed() > Duration::from_secs(30) {
                    return;
                }
                // Not reaped before this thread has ended, so the pid is still the child's.
                kill_process(pid, signal).unwrap();
                sent += 1;
                let due = began + Duration::from_millis(sent);
                thread::sleep(due.saturating_duration_since(Instant::now()));
            }
        }
    });
    child.wait_for_end_of_output();
    is_over.store(true, Ordering::SeqCst);
    sender.join().unwrap();
    child.end()
}

#[test]
fn the_view_counts_signals_by_name_those_before_the_manager_included() {
    let mut child = Child::start("managed early");
    child.kill(Signal::TERM);
    child.go();
    child.wait_for("second cleanup");
    child.wait_for("code 0 after");
    child.wait_for("SIGTERM came: 1");
    child.ends_with(0);
}
