//! The task table in the log.

use rustix::process::Signal;

use crate::child::Child;

#[test]
fn the_dump_lists_the_group_and_its_tasks_and_stops_nothing() {
    let mut child = Child::start("dump");
    child.wait_for("status: waiting for");
    for count in 0..3 {
        child.kill(Signal::USR1);
        let header = child.wait_for("in_step_ms=");
        for field in ["signal=SIGUSR1", "group=\"test\"", "step=\"running\"", "tasks=1"] {
            assert!(header.contains(field), "{count}: {header}");
        }
        let task = child.wait_for("task `loud` is running");
        for field in
            ["task=\"loud\"", "phase=100", "status=\"waiting for SIGINT, SIGQUIT, SIGUSR1, SIGTERM"]
        {
            assert!(task.contains(field), "{count}: {task}");
        }
    }
    assert_eq!(child.count("request_stop"), 0);
}

#[test]
fn a_dump_that_is_asked_for_before_the_task_runs_is_written_when_it_does() {
    let mut child = Child::start("captured early");
    child.kill_and_see(Signal::USR1, "received SIGUSR1");
    child.go();
    child.wait_for("in_step_ms=");
    child.wait_for("task `loud` is running");
}

#[test]
fn no_name_of_a_group_a_task_or_an_action_makes_a_line_of_its_own() {
    let mut child = Child::start("managed with a name of two lines");
    child.kill_and_see(Signal::USR1, "`work\\nforged` is running");
    child.kill_and_see(Signal::HUP, "action `act\\nforged` failed");
    child.kill_and_see(Signal::TERM, "code 0 after");
    child.ends_with(0);
    // Only a line that was broken in two begins with what follows the break.
    assert!(!child.has_line_that_starts_with("forged"));
}
