//! The ways out of `main` that the documentation of `Manager` has, with every worker blocked.

use std::process;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};

use crate::child;
use crate::support::{SECOND, assert_by, block_workers, short};

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Blocks every worker, stops the group, and returns the exit code of its report.
async fn blocked() -> u8 {
    let manager = short().build().unwrap();
    block_workers(|task| manager.run(task).unwrap(), 2);
    manager.shutdown().await.unwrap_err().exit_code()
}

#[test]
fn a_runtime_that_is_shut_down_in_the_background_lets_main_return() {
    child::run(|| {
        let runtime = runtime();
        assert_eq!(runtime.block_on(blocked()), 1);
        let began = Instant::now();
        runtime.shutdown_background();
        assert_by("a shutdown in the background", began, Duration::ZERO);
    })
    .passed();
}

#[test]
fn an_exit_at_the_end_of_an_async_main_ends_the_process_with_the_code_of_the_report() {
    let ended = child::run(|| runtime().block_on(async { process::exit(blocked().await.into()) }));
    assert_eq!(ended.status.code(), Some(1), "{}", ended.stderr);
    assert!(ended.took < 5 * SECOND, "{:?}", ended.took);
}
