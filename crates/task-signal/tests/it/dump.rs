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
