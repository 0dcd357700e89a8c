//! A process that cannot start a thread.

use task_manager::Manager;

use crate::{
    child,
    support::{current_thread, worker},
};

#[test]
fn without_a_thread_for_the_deadlines_run_and_wait_are_refused() {
    // A stack that is larger than any address space.
    let too_large = ("RUST_MIN_STACK", "1000000000000000");
    child::run_in(&[too_large], || {
        current_thread().block_on(async {
            let manager = Manager::new();
            let refused = manager.run(worker("work")).unwrap_err();
            assert!(
                refused.reason().is_no_thread()
                    && !refused.reason().is_no_runtime()
                    && !refused.is_too_late()
            );
            let error = manager.wait().await.unwrap_err();
            assert!(error.is_no_thread() && !error.is_no_runtime(), "{error}");
            assert!(error.report().is_none());
        });
    })
    .passed();
}
