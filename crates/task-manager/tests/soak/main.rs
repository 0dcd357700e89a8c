//! Memory does not grow with what has ended, measured on the whole process.
//!
//! A short run by default; `cargo xtask deep soak` sets `TASK_SOAK` to a million. The tests run one
//! after another, since they measure the process that they share.
#![allow(clippy::unwrap_used, clippy::print_stdout)]
#![cfg(target_os = "linux")]

use std::{
    env, fs,
    future::poll_fn,
    io,
    pin::pin,
    sync::{Mutex, MutexGuard, Once, PoisonError},
    task::Poll,
    time::{Duration, Instant},
};

use anyhow::anyhow;
use task_manager::{BoxTask, Context, Manager, ManagerHandle, Outcome, Task, task_fn};
use tokio::runtime::{Builder, Runtime};

/// What the allocator may keep. Over a million tasks, a leak of nine bytes per task exceeds it.
const SLACK: u64 = 8 << 20;

/// Takes the process, with a subscriber installed: what it keeps counts as well.
fn exclusive() -> MutexGuard<'static, ()> {
    static LOCK: Mutex<()> = Mutex::new(());
    static LOG: Once = Once::new();
    LOG.call_once(|| tracing_subscriber::fmt().with_writer(io::sink).init());
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

/// Runs `body` with a tenth of the count, measures, runs it with the count, and compares.
async fn assert_flat(what: &str, mut body: impl AsyncFnMut(u64)) {
    body(count() / 10).await;
    let before = resident();
    let began = Instant::now();
    body(count()).await;
    let after = resident();
    println!("{what}: {} in {:?}, {before} to {after} bytes", count(), began.elapsed());
    // Valgrind keeps freed memory to detect its use, and reports leaks itself.
    let is_instrumented = env::var("LD_PRELOAD").is_ok_and(|list| list.contains("vgpreload"));
    assert!(is_instrumented || after < before + SLACK, "{what}: {before} to {after} bytes");
}

/// Invariant 10. FAILURES 71.
#[test]
fn memory_is_flat_over_ephemeral_tasks_that_end_cleanly() {
    let _guard = exclusive();
    runtime().block_on(async {
        let manager = Manager::new();
        assert_flat("ephemeral tasks", async |count| {
            for _ in 0..count / 100 {
                let tasks = (0..100).map(|_| {
                    let job = task_fn("job", async |ctx: Context| {
                        ctx.set_status("at it");
                        tokio::task::yield_now().await;
                        Ok(())
                    });
                    manager.run_ephemeral(job).unwrap()
                });
                for task in tasks.collect::<Vec<_>>() {
                    assert_eq!(task.ended().await, Outcome::Completed);
                }
            }
        })
        .await;
        assert_eq!(manager.group().snapshot().tasks.len(), 0);
        let report = manager.shutdown().await.unwrap();
        assert!(report.tasks().is_empty());
        assert_eq!(report.totals().started, report.totals().completed);
    });
}

/// Starts its successor and ends, `left` times.
fn generation(handle: ManagerHandle, left: u64) -> BoxTask {
    let task = task_fn("generation", async move |_| {
        if left > 0 {
            handle.run_ephemeral(generation(handle.clone(), left - 1))?;
        }
        Ok(())
    });
    task.boxed()
}

/// Invariant 10, with the spans that a subscriber keeps.
#[test]
fn memory_is_flat_over_tasks_that_start_their_successors_and_log() {
    let _guard = exclusive();
    runtime().block_on(async {
        assert_flat("generations", async |count| {
            let manager = Manager::new();
            manager.run_ephemeral(generation(manager.handle(), count)).unwrap();
            assert_eq!(manager.wait().await.unwrap().totals().completed, count + 1);
        })
        .await;
    });
}

/// Invariant 10.
#[test]
fn memory_is_bounded_over_failures_that_a_task_survives() {
    let _guard = exclusive();
    runtime().block_on(async {
        let manager = Manager::new();
        let (sender, receiver) = tokio::sync::oneshot::channel();
        manager
            .run_ephemeral(task_fn("retries", async move |ctx: Context| {
                assert!(sender.send(ctx.clone()).is_ok());
                ctx.cancelled().await;
                Ok(())
            }))
            .unwrap();
        let ctx = receiver.await.unwrap();
        assert_flat("failures", async |count| {
            for attempt in 0..count {
                ctx.record_failure(anyhow!("attempt {attempt}"));
                ctx.record_restart();
            }
        })
        .await;
        let error = manager.shutdown().await.unwrap_err();
        let report = error.report().unwrap();
        assert_eq!(report.failures().len(), 65);
        assert_eq!(report.omitted_failures(), count() / 10 + count() - 65);
    });
}

/// Invariant 10.
#[test]
fn memory_is_bounded_over_tasks_that_fail_while_the_group_drains() {
    let _guard = exclusive();
    runtime().block_on(async {
        let hour = Duration::from_secs(3_600);
        let manager =
            Manager::builder().shutdown_timeout(2 * hour).drain_delay(hour).build().unwrap();
        manager
            .run(task_fn("work", async |ctx: Context| {
                ctx.cancelled().await;
                Ok(())
            }))
            .unwrap();
        // Ready, or there is nothing to drain for.
        let mut wait = pin!(manager.wait());
        assert!(poll_fn(|cx| Poll::Ready(wait.as_mut().poll(cx).is_pending())).await);
        manager.stop();
        // The report lists up to 4,096 tasks; these are allocated before the measurement.
        for _ in 0..5_000 {
            let job = task_fn("job", async |_| Err(anyhow!("no")));
            manager.run_ephemeral(job).unwrap().ended().await;
        }
        assert_flat("failing tasks", async |count| {
            for _ in 0..count / 10 {
                let job = task_fn("job", async |_| Err(anyhow!("no")));
                manager.run_ephemeral(job).unwrap().ended().await;
            }
        })
        .await;
        manager
            .run_ephemeral(task_fn("escalates", async |ctx: Context| {
                ctx.escalate(task_manager::Escalation::EndDrain);
                Ok(())
            }))
            .unwrap();
        let error = manager.wait().await.unwrap_err();
        let report = error.report().unwrap();
        assert_eq!(report.tasks().len(), 4_096);
        assert_eq!(report.failures().len(), 128);
    });
}

/// Invariant 10.
#[test]
fn memory_is_flat_over_managers_that_are_built_and_shut_down() {
    let _guard = exclusive();
    runtime().block_on(async {
        assert_flat("managers", async |count| {
            for _ in 0..count / 20 {
                let manager = Manager::new();
                manager
                    .run(task_fn("work", async |ctx: Context| {
                        ctx.cancelled().await;
                        Ok(())
                    }))
                    .unwrap();
                manager.cleanup("close", async || Ok(())).unwrap();
                manager.shutdown().await.unwrap();
            }
        })
        .await;
    });
}

/// Invariant 10. FAILURES 47.
#[cfg(feature = "token")]
#[test]
fn memory_is_flat_over_groups_under_one_parent_token() {
    let _guard = exclusive();
    let parent = tokio_util::sync::CancellationToken::new();
    // Long, so that a leaked group shows in a short run.
    let builder = Manager::builder().name("x".repeat(16 << 10)).parent(parent.clone());
    runtime().block_on(async {
        assert_flat("groups under one token", async |count| {
            for index in 0..count / 20 {
                let manager = builder.clone().build().unwrap();
                manager.cleanup("close", async || Ok(())).unwrap();
                if index % 2 == 0 {
                    manager.shutdown().await.unwrap();
                }
            }
        })
        .await;
    });
    // Those that never have a runtime, and so never end.
    runtime().block_on(assert_flat("managers without a runtime", async |count| {
        let builder = builder.clone();
        let make = move || (0..count / 20).for_each(|_| drop(builder.clone().build().unwrap()));
        std::thread::spawn(make).join().unwrap();
    }));
    assert!(!parent.is_cancelled());
}

/// FAILURES 49.
#[test]
fn a_stop_reaches_a_hundred_thousand_waiting_tasks_within_seconds() {
    let _guard = exclusive();
    let tasks = (count() / 2).min(100_000);
    runtime().block_on(async {
        let manager = Manager::new();
        for _ in 0..tasks {
            let waits = task_fn("waits", async |ctx: Context| {
                ctx.cancelled().await;
                Ok(())
            });
            manager.run_ephemeral(waits).unwrap();
        }
        let began = Instant::now();
        let report = manager.shutdown().await.unwrap();
        println!("a storm of {tasks}: {:?}", began.elapsed());
        assert!(began.elapsed() < Duration::from_secs(20));
        assert_eq!(report.totals().completed, tasks);
    });
}

/// Invariant 10.
#[test]
fn memory_is_flat_over_nested_groups_that_have_ended() {
    let _guard = exclusive();
    runtime().block_on(async {
        let manager = Manager::new();
        assert_flat("nested groups", async |count| {
            for _ in 0..count / 4 {
                let group = Manager::builder().name("group").build().unwrap();
                group.run(task_fn("job", async |_| Ok(()))).unwrap();
                let task = manager.run_ephemeral(group.into_task()).unwrap();
                assert_eq!(task.ended().await, Outcome::Completed);
            }
        })
        .await;
        assert!(manager.shutdown().await.unwrap().is_clean());
    });
}
