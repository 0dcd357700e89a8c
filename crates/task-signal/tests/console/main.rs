//! What the signal tasks promise on Windows, with real console events.
//!
//! One child process per scenario, with a console of its own. `cargo xtask deep platforms` runs
//! these under Wine, and builds the program that sends the events.

#![cfg(windows)]
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod child;
mod scenario;

use child::{Child, Event};

fn start(scenario: &str) -> Child {
    Child::start("scenario::an_unknown_scenario_is_refused", scenario)
}

#[test]
#[ignore = "needs the sender of console events"]
fn ctrl_c_stops_the_group_and_is_the_cause() {
    let mut child = start("managed");
    child.wait_for("ready");
    child.send(Event::CtrlC);
    child.wait_for("work: cancelled");
    child.wait_for("cleaned up");
    child.wait_for("code 0 after signal SIGINT");
    child.ends_with(0);
}

#[test]
#[ignore = "needs the sender of console events"]
fn ctrl_break_is_a_sigint_as_well() {
    let mut child = start("managed");
    child.wait_for("ready");
    child.send(Event::CtrlBreak);
    child.wait_for("code 0 after signal SIGINT");
    child.ends_with(0);
}

/// The system ends the process as soon as the handler of this event returns, so it must not.
#[test]
#[ignore = "needs the sender of console events"]
fn a_console_that_is_closed_is_a_sigterm_and_leaves_time_for_the_cleanup() {
    let mut child = start("managed with a cleanup of a second");
    child.wait_for("ready");
    child.send(Event::Close);
    child.wait_for("work: cancelled");
    child.wait_for("cleaned up");
    child.wait_for("code 0 after signal SIGTERM");
    child.ends_with(0);
}

#[test]
#[ignore = "needs the sender of console events"]
fn the_second_ctrl_c_escalates_and_the_third_exits_behind_a_blocked_runtime() {
    let mut child = start("stuck");
    child.wait_for("blocked");
    child.send(Event::CtrlC);
    child.wait_for("count=1");
    child.send(Event::CtrlBreak);
    child.wait_for("count=2");
    child.send(Event::CtrlC);
    child.ends_with(130);
}

#[test]
#[ignore = "needs the sender of console events"]
fn an_event_from_before_the_admission_stops_the_group() {
    let mut child = start("admitted late");
    child.wait_for("ready");
    child.send(Event::CtrlC);
    child.wait_for("count=1");
    child.go();
    child.wait_for("code 0 after signal SIGINT");
    child.ends_with(0);
}

#[test]
#[ignore = "needs the sender of console events"]
fn a_trigger_runs_its_action_for_each_event() {
    let mut child = start("triggered");
    child.wait_for("ready");
    for round in 1..=3 {
        child.send(Event::CtrlBreak);
        child.wait_for(&format!("action {round}"));
    }
    child.go();
    child.ends_with(0);
}

#[test]
#[ignore = "needs the sender of console events"]
fn after_the_report_an_event_acts_by_default() {
    let mut child = start("over");
    child.wait_for("ready");
    child.send(Event::CtrlC);
    child.wait_for("code 0 after signal SIGINT");
    child.send(Event::CtrlC);
    child.ends_by_the_system();
}

#[test]
#[ignore = "needs the sender of console events"]
fn an_event_under_a_guard_waits_for_the_next_group() {
    let mut child = start("guarded");
    child.wait_for("ready");
    child.send(Event::CtrlC);
    child.wait_for("code 0 after signal SIGINT");
    child.send(Event::CtrlC);
    // Nothing says that an event has arrived while no task reads.
    std::thread::sleep(std::time::Duration::from_secs(1));
    child.go();
    child.wait_for("second group: code 0 after signal SIGINT");
    child.ends_with(0);
}

#[test]
fn signals_without_an_event_are_refused_by_name() {
    use task_signal::{Signal, SignalTask, SignalTrigger};

    let captured = SignalTask::new().unwrap();
    assert_eq!(captured.signals(), [Signal::INT, Signal::QUIT, Signal::TERM]);
    for signal in [Signal::HUP, Signal::USR1, Signal::USR2] {
        let error = SignalTask::builder().signals([signal]).build().unwrap_err();
        assert!(error.to_string().contains(&signal.to_string()), "{error}");
    }
    let error = SignalTrigger::new("configuration", async |_| Ok(())).unwrap_err();
    assert!(error.to_string().contains("SIGHUP"), "{error}");
}
