//! What is left when tasks are gone.

use crate::child::Child;

#[test]
fn tasks_that_are_gone_leave_no_thread_and_no_open_file() {
    let mut child = Child::start("many lives");
    child.ends_with(0);
}
