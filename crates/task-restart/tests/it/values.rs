//! Values: what is refused, and what is shown.

use std::time::Duration;

use task_core::{Task, task_fn};
use task_restart::{FailureLimit, Restart, restarting};

use crate::rig::secs;

#[test]
fn a_limit_of_nothing_or_without_a_window_is_refused() {
    let refused = |failures, within| FailureLimit::new(failures, within).unwrap_err().to_string();
    assert_eq!(refused(0, secs(1)), "failure limit of 0 is not from 1 to 1000");
    assert_eq!(refused(1001, secs(1)), "failure limit of 1001 is not from 1 to 1000");
    assert_eq!(refused(1, Duration::ZERO), "window of the failure limit is zero");
    assert!(FailureLimit::new(1000, Duration::MAX).is_ok());
    let default = FailureLimit::new(30, secs(3600)).unwrap();
    assert_eq!(FailureLimit::default(), default);
}

#[test]
fn tasks_and_handles_can_be_shown_and_adjusted() {
    let task = restarting(|| Ok(task_fn("worker", async |_| Ok(())))).unwrap();
    let handle = task.handle();
    assert_eq!(format!("{handle:?}"), "RestartHandle { is_ended: false, .. }");
    assert!(format!("{task:?}").starts_with("Restarting { on: OnFailure"), "{task:?}");
    assert_eq!(Restart::default(), Restart::OnFailure);
    let task = task.named("consumer");
    assert_eq!(task.name(), "consumer");
    drop(task);
    assert!(handle.is_ended() && !handle.restart("it is gone"));
}
