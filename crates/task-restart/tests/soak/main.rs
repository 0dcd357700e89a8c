//! Memory does not grow with restarts, measured on the whole process.
//!
//! A short run by default; `cargo xtask deep soak` sets `TASK_SOAK` to a million. The tests run one
//! after another, since they measure the process that they share.
#![allow(clippy::unwrap_used, clippy::print_stdout)]
#![cfg(target_os = "linux")]

use std::{
    env, fs,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use task_core::Backoff;
use task_manager::{BoxTask, Context, Manager, Task, task_fn};
use task_restart::{FailureLimit, Restart, restarting};
use tokio::runtime::{Builder, Runtime};

/// What the allocator may keep. Over a million restarts, a leak of nine bytes each exceeds it.
const SLACK: u64 = 8 << 20;

fn exclusive() -> MutexGuard<'static, ()> {
    static LOCK: Mutex<()> = Mutex::new(());
    LOCK.lock().unwrap_or_else(PoisonError::into_inner)
}

fn count() -> u64 {
    env::var("TASK_SOAK").map_or(20_000, |count| count.parse().unwrap())
}

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// The resident memory of the process in bytes. Pages have at least 4 KiB.
fn resident() -> u64 {
    let statm = fs::read_to_string("/proc/self/statm").unwrap();
    statm.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 4_096
}

/// Restarts one task `count` times, and compares the memory after the first tenth with that at the
/// end. `make` makes the task of each run.
fn assert_flat(what: &str, count: u64, make: impl Fn(u64) -> BoxTask + Send + 'static) {
    let _guard = exclusive();
    let runtime = runtime();
    let _entered = runtime.enter(); // for the first call of the factory
    let before = Arc::new(AtomicU64::new(0));
    let seen = Arc::clone(&before);
    let mut run = 0;
    let factory = move || {
        run += 1;
        if run == count / 10 {
            seen.store(resident(), Ordering::SeqCst);
        }
        Ok(if run <= count { make(run) } else { last().boxed() })
    };
    let shortest = Duration::from_nanos(1);
    let task = restarting(factory).unwrap().on(Restart::Always).limit(FailureLimit::NONE);
    let task = task.backoff(Backoff::new(shortest, shortest).unwrap());
    let began = Instant::now();
    let restarts = runtime.block_on(async {
        let manager = Manager::builder().without_panic_hook().build().unwrap();
        manager.run(task).unwrap();
        let report = match manager.wait().await {
            Ok(report) => report,
            Err(error) => error.report().unwrap().clone(),
        };
        report.tasks()[0].restarts
    });
    assert_eq!(u64::from(restarts), count);
    let (before, after) = (before.load(Ordering::SeqCst), resident());
    println!("{what}: {count} in {:?}, {before} to {after} bytes", began.elapsed());
    // Valgrind keeps freed memory to detect its use, and reports leaks itself.
    let is_instrumented = env::var("LD_PRELOAD").is_ok_and(|list| list.contains("vgpreload"));
    assert!(is_instrumented || after < before + SLACK, "{what}: {before} to {after} bytes");
}

fn last() -> impl Task {
    task_fn("last", async |ctx: Context| {
        ctx.request_stop("done");
        ctx.cancelled().await;
        Ok(())
    })
}

/// Invariant 10.
#[test]
fn memory_is_flat_over_restarts_of_a_task() {
    assert_flat("restarts", count(), |run| {
        task_fn("worker", async move |ctx: Context| {
            ctx.set_status(format!("run {run}"));
            ctx.set_ready(true);
            let hold = ctx.hold();
            let helper = tokio::spawn(async move { drop(hold) });
            anyhow::ensure!(run % 2 == 0, "attempt {run}");
            helper.await?;
            Ok(())
        })
        .boxed()
    });
}

/// Invariant 10.
#[test]
fn memory_is_flat_over_restarts_of_a_group() {
    assert_flat("restarts of a group", count(), |run| {
        let group = Manager::builder().name("group").without_panic_hook().build().unwrap();
        let attempt = async move |_| Err(anyhow::anyhow!("attempt {run}"));
        // First: the task may have failed, and the group ended, before the next line.
        group.cleanup("database", async || Ok(())).unwrap();
        group.run(task_fn("worker", attempt)).unwrap();
        group.into_task().boxed()
    });
}
