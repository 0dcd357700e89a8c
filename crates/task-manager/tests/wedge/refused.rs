//! A process that gets no thread.

use task_manager::Manager;

use crate::{
    child,
    stuck::{current_thread, worker},
};

#[test]
fn where_the_deadlines_get_no_thread_a_task_is_refused_and_so_is_the_wait() {
    // A stack that no system has room for.
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
