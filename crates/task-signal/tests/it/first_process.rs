//! The first process of a pid namespace, as in a container: the system shields it from its own
//! default actions.
//!
//! Making a namespace takes rights that not every place has, so these are ignored, and run by
//! `cargo xtask deep first-process`.

use std::fs;

use rustix::process::Signal;

use crate::child::{Child, command};

#[test]
#[ignore = "needs the right to make a pid namespace"]
fn the_first_process_stops_at_a_termination_and_exits_with_its_code() {
    let mut child = first("managed to the end");
    child.kill(Signal::TERM);
    // The sender is in another namespace and so has no pid in this one.
    child.wait_for("code 0 after signal SIGTERM (task");
    child.ends_with(0);
}

#[test]
#[ignore = "needs the right to make a pid namespace"]
fn the_first_process_exits_with_128_and_the_number_at_the_third_interrupt() {
    let mut child = first("ladder");
    child.kill_and_see(Signal::INT, "request_stop: signal SIGINT");
    child.kill_and_see(Signal::INT, "escalate: Abort");
    child.kill(Signal::INT);
    child.ends_with(130);
}

#[test]
#[ignore = "needs the right to make a pid namespace"]
fn the_first_process_exits_with_128_and_the_number_after_the_report() {
    for scenario in ["ending", "ending unnoticed"] {
        let mut child = first(scenario);
        child.go();
        child.wait_for("cleaning up");
        child.go();
        child.wait_for("ended");
        child.kill(Signal::TERM);
        assert_eq!(child.end().code(), Some(143), "{scenario}");
    }
}

#[test]
#[ignore = "needs the right to make a pid namespace"]
fn the_first_process_ignores_what_is_harmless_by_default() {
    let mut child = first("ending with a harmless signal");
    child.go();
    child.wait_for("cleaning up");
    child.go();
    child.wait_for("ended");
    child.kill(Signal::WINCH);
    child.go();
    child.ends_with(0);
}

/// Starts a scenario as the first process of a namespace. `unshare` waits for it, ends as it does,
/// and takes it along when killed.
fn first(scenario: &str) -> Child {
    let mut unshare = command("unshare");
    unshare.args(["--pid", "--fork", "--kill-child"]).arg(std::env::current_exe().unwrap());
    let mut child = Child::start_by(unshare, scenario);
    let unshare = child.pid;
    let children = fs::read_to_string(format!("/proc/{unshare}/task/{unshare}/children")).unwrap();
    child.pid = children.trim().parse().unwrap();
    child
}
