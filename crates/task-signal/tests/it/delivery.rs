//! A signal reaches the group, whenever it comes, and says where it is from.

use rustix::process::Signal;

use crate::child::{Child, from_us};

#[test]
fn the_first_signal_stops_the_group_and_names_itself_and_its_sender() {
    for (signal, name) in
        [(Signal::INT, "SIGINT"), (Signal::TERM, "SIGTERM"), (Signal::QUIT, "SIGQUIT")]
    {
        let mut child = Child::start("stop");
        let cause = format!("{name}{}", from_us());
        child.kill_and_see(signal, &format!("request_stop: signal {cause}"));
        child.wait_for(&format!("status: received {cause}"));
        assert_eq!(child.count("escalate"), 0);
    }
}

#[test]
fn a_signal_that_comes_before_the_task_runs_is_delivered_when_it_does() {
    let mut child = Child::start("captured early");
    child.kill(Signal::TERM);
    child.go();
    child.wait_for("request_stop: signal SIGTERM");
}

#[test]
fn ladders_are_climbed_before_the_task_runs() {
    let mut child = Child::start("captured early");
    child.kill_and_see(Signal::INT, "count=1");
    child.kill_and_see(Signal::INT, "count=2");
    child.go();
    child.wait_for("request_stop: signal SIGINT");
    child.wait_for("request_stop: signal SIGINT");
    child.wait_for("escalate: Abort");
    child.kill(Signal::INT);
    child.ends_with(130);
}

#[test]
fn three_interrupts_end_a_program_that_is_still_setting_up() {
    let mut child = Child::start("captured early");
    child.kill_and_see(Signal::INT, "count=1");
    child.kill_and_see(Signal::INT, "count=2");
    child.kill(Signal::INT);
    child.ends_with(130);
}

#[test]
fn an_early_signal_is_logged_at_once_and_given_to_the_callback_when_the_task_runs() {
    let mut child = Child::start("stuck callback early");
    child.kill_and_see(Signal::TERM, "count=1");
    assert_eq!(child.count("called"), 0);
    child.go();
    child.wait_for("called: SIGTERM");
    child.wait_for("recorded SIGTERM: 1");
    child.wait_for("status: received SIGTERM");
    assert_eq!(child.count("received SIGTERM"), 2); // the line and the status
}

#[test]
fn the_callback_gets_each_signal_of_the_ladder() {
    let mut child = Child::start("callback");
    let from = from_us();
    child.kill_and_see(Signal::INT, &format!("called: SIGINT{from}, 1, Stop, 2"));
    child.kill_and_see(Signal::INT, &format!("called: SIGINT{from}, 2, Abort, 2"));
    child.kill_and_see(Signal::TERM, &format!("called: SIGTERM{from}, 1, Stop, 15"));
    child.kill_and_see(Signal::TERM, &format!("called: SIGTERM{from}, 2, Log, 15"));
}

#[test]
fn a_callback_that_panics_is_a_failure_and_the_shutdown_proceeds() {
    let mut child = Child::start("callback that panics");
    let failure = "failure: the signal callback panicked: no coffee";
    child.kill(Signal::INT);
    child.wait_for("request_stop: signal SIGINT");
    child.wait_for(failure);
    child.kill(Signal::INT);
    child.wait_for("escalate: Abort");
    child.wait_for(failure);
}

#[test]
fn a_callback_that_panics_before_the_task_runs_is_a_failure_of_it() {
    let mut child = Child::start("callback that panics early");
    child.kill_and_see(Signal::TERM, "count=1");
    child.go();
    child.wait_for("failure: the signal callback panicked: no coffee");
}

#[test]
fn the_task_has_not_ended_while_its_callback_runs() {
    let mut child = Child::start("callback");
    child.wait_for("status: waiting");
    child.kill_and_see(Signal::TERM, "hold");
    child.wait_for("called");
    child.wait_for("request_stop");
    child.wait_for("release");
}
