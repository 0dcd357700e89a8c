//! A process that cannot start a thread.

#[cfg(target_os = "linux")]
use std::{sync::Arc, task::Waker, time::Duration};

use task_manager::Manager;
#[cfg(target_os = "linux")]
use task_manager::task_fn;

use crate::{
    child,
    support::{current_thread, worker},
};
#[cfg(target_os = "linux")]
use crate::{
    exit::is_hard_exit,
    support::{block, short},
    wakers::{BlockingWaker, register_waker},
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

/// FAILURES 53. In a process of its own, which has no panic hook but the manager's.
#[test]
fn the_refusal_of_a_runtime_without_a_time_driver_is_all_that_is_said_of_it() {
    let ended = child::run(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let manager = Manager::new();
            for _ in 0..2 {
                assert!(manager.run(worker("work")).unwrap_err().reason().is_no_runtime());
            }
            assert!(manager.wait().await.unwrap_err().is_no_runtime());
        });
        // Any other panic is printed.
        std::thread::spawn(|| panic!("of a thread")).join().unwrap_err();
    });
    assert_eq!(ended.stderr.matches("panicked at").count(), 1, "{}", ended.stderr);
    assert!(ended.stderr.contains("of a thread"), "{}", ended.stderr);
    ended.passed();
}

/// What a process that is to get no further thread starts with: stacks of 64 MiB, and one heap for
/// all threads, since that of a new one would take as much.
#[cfg(target_os = "linux")]
const LARGE_STACKS: &[(&str, &str)] = &[("RUST_MIN_STACK", "67108864"), ("MALLOC_ARENA_MAX", "1")];

/// Lets the process have 32 MiB more than it has: the heap may grow, and threads that have just
/// started get what they need, but no [stack](LARGE_STACKS) fits in any more.
#[cfg(target_os = "linux")]
fn forbid_threads() {
    use rustix::process::{Resource, Rlimit, setrlimit};

    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let size = status.lines().find_map(|line| line.strip_prefix("VmSize:")).unwrap();
    let size: u64 = size.trim().trim_end_matches(" kB").parse().unwrap();
    let limit = Some((size + 32 * 1024) * 1024);
    setrlimit(Resource::As, Rlimit { current: limit, maximum: limit }).unwrap();
    // The stacks of threads that have ended may be kept for the next ones: these take them.
    let grants = |_: &i32| {
        std::thread::Builder::new()
            .spawn(|| {
                loop {
                    std::thread::park()
                }
            })
            .is_ok()
    };
    let granted = (0..64).take_while(grants).count();
    assert!(granted < 64, "the system still grants threads");
}

/// FAILURES 18. What an exit path needs exists before it is needed.
#[cfg(target_os = "linux")]
#[test]
fn the_hard_exit_needs_no_thread_of_the_system_and_names_the_live_tasks() {
    let ended = child::run_in(LARGE_STACKS, || {
        current_thread().block_on(async {
            let manager = short().name("orders").hard_exit(70).build().unwrap();
            manager
                .run(task_fn("stuck", async |_| {
                    block();
                    Ok(())
                }))
                .unwrap();
            let handle = manager.handle();
            // Called by the deadline thread, or by a thread that it has in advance.
            register_waker(
                async move { handle.wait().await },
                Waker::from(Arc::new(BlockingWaker)),
            );
            let handle = manager.handle();
            std::thread::spawn(move || {
                std::thread::sleep(Duration::from_millis(10));
                handle.stop();
                // A thread that ends leaves its stack to the next one.
                block();
            });
            forbid_threads();
            let _ = manager.wait().await;
        });
    });
    assert_eq!(ended.status.code(), Some(70), "{}: {}", ended.status, ended.stderr);
    assert!(is_hard_exit(ended.took), "{:?}", ended.took);
    assert!(ended.stderr.contains("alive: stuck"), "{}", ended.stderr);
}
