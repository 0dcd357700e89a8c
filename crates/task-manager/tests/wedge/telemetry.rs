//! Telemetry: flushed last, after the report was logged, in time that nothing else can use up.

use std::{
    sync::{Arc, atomic::Ordering, mpsc},
    thread,
    time::{Duration, Instant},
};

use task_manager::{Context, Manager, Outcome, Step, Task, task_fn};

use crate::{
    child,
    sinks::BlockingSink,
    support::{
        SECOND, assert_by, block, block_workers, context, current_thread, short, unresponsive,
        worker, workers,
    },
};

const FLUSH: Duration = Duration::from_millis(300);

/// Logs to stderr, on which the tests then find the order of things.
fn log() {
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false).init();
}

/// The place of the only line that contains `text`.
#[track_caller]
fn line(stderr: &str, text: &str) -> usize {
    let found: Vec<_> =
        stderr.lines().enumerate().filter(|(_, line)| line.contains(text)).collect();
    assert_eq!(found.len(), 1, "`{text}`\n{stderr}");
    found[0].0
}

#[test]
fn telemetry_is_flushed_after_the_cleanups_and_the_last_log_line_and_before_wait_returns() {
    let ended = child::run(|| {
        workers(2).block_on(async {
            log();
            let manager = Manager::builder().name("orders").build().unwrap();
            manager
                .telemetry("traces", |left| {
                    assert!(left > SECOND && left < 2 * SECOND, "{left:?}");
                    thread::sleep(SECOND / 2);
                    eprintln!("flushed");
                    Ok(())
                })
                .unwrap();
            manager
                .cleanup("pool", async || {
                    eprintln!("cleaned up");
                    Ok(())
                })
                .unwrap();
            manager.run(task_fn("job", async |_| anyhow::bail!("disk full"))).unwrap();
            manager.wait().await.unwrap_err();
            eprintln!("wait has returned");
        });
    });
    let stderr = &ended.stderr;
    let order = ["cleaned up", "shutdown ended", "flushed", "wait has returned"];
    let order = order.map(|text| line(stderr, text));
    assert!(order.is_sorted(), "{order:?}\n{stderr}");
    assert!(!stderr.contains("telemetry"), "nothing is wrong with it\n{stderr}");
    ended.passed();
}

/// Invariant 3.
#[test]
fn tasks_and_cleanups_that_hang_take_no_time_from_telemetry_and_the_total_holds() {
    child::run(|| {
        workers(2).block_on(async {
            let manager = short().telemetry_timeout(FLUSH).build().unwrap();
            let (sender, flushed) = mpsc::channel();
            manager
                .telemetry("traces", move |left| {
                    sender.send(left)?;
                    thread::sleep(left);
                    Ok(())
                })
                .unwrap();
            manager.run(unresponsive("hangs")).unwrap();
            manager.cleanup("hangs, too", async || std::future::pending().await).unwrap();
            let began = Instant::now();
            let error = manager.shutdown().await.unwrap_err();
            assert_by("wait", began, SECOND);
            let steps = error.report().unwrap().steps();
            assert_eq!(steps.budget, Some(SECOND - FLUSH));
            let left = flushed.try_recv().unwrap();
            assert!(left >= FLUSH / 2 && left < FLUSH, "{left:?}");
        });
    })
    .passed();
}

#[test]
fn telemetry_is_flushed_in_time_while_every_worker_is_blocked() {
    child::run(|| {
        workers(2).block_on(async {
            let manager = short().telemetry_timeout(FLUSH).build().unwrap();
            let (sender, flushed) = mpsc::channel();
            manager.telemetry("traces", move |_| Ok(sender.send(())?)).unwrap();
            let tasks = block_workers(|task| manager.run(task).unwrap(), 2);
            let began = Instant::now();
            manager.shutdown().await.unwrap_err();
            assert_by("wait", began, SECOND);
            flushed.try_recv().unwrap();
            assert_eq!(tasks[0].outcome(), Some(Outcome::Abandoned));
        });
    })
    .passed();
}

/// FAILURES 18.
#[test]
fn the_hard_exit_of_a_blocked_runtime_leaves_telemetry_its_time_and_comes_when_it_would_anyway() {
    let ended = child::run(|| {
        current_thread().block_on(async {
            let manager =
                short().telemetry_timeout(FLUSH).name("orders").hard_exit(70).build().unwrap();
            manager
                .telemetry("traces", |left| {
                    thread::sleep(left);
                    eprintln!("flushed");
                    Ok(())
                })
                .unwrap();
            let handle = manager.handle();
            manager
                .run(task_fn("stuck", async move |_| {
                    handle.stop();
                    block();
                    Ok(())
                }))
                .unwrap();
            let _ = manager.wait().await;
        });
    });
    assert_eq!(ended.status.code(), Some(70), "{}", ended.stderr);
    assert!(line(&ended.stderr, "flushed") < line(&ended.stderr, "hard exit"));
    assert!((2 * SECOND..3 * SECOND).contains(&ended.took), "{:?}", ended.took);
}

#[test]
fn a_flush_that_hangs_fails_or_panics_is_named_in_one_line_and_in_no_report() {
    let ended = child::run(|| {
        workers(2).block_on(async {
            let manager =
                Manager::builder().telemetry_timeout(FLUSH).name("orders").build().unwrap();
            manager
                .telemetry("traces", |_| {
                    block();
                    Ok(())
                })
                .unwrap();
            manager.telemetry("metrics", |_| anyhow::bail!("refused\nby the collector")).unwrap();
            manager.telemetry("logs", |_| panic!("a bug")).unwrap();
            manager.telemetry("profiles", |_| Ok(())).unwrap();
            let began = Instant::now();
            assert!(manager.shutdown().await.unwrap().is_clean());
            assert_by("wait", began, FLUSH);
        });
    });
    let text = "orders: telemetry `traces` did not end within 300 ms; \
                `metrics` failed: refused\\nby the collector; `logs` panicked at ";
    let at = line(&ended.stderr, text);
    assert!(ended.stderr.lines().nth(at).unwrap().ends_with(": a bug"), "{}", ended.stderr);
    ended.passed();
}

#[test]
fn flushes_run_at_once() {
    child::run(|| {
        workers(2).block_on(async {
            let manager = Manager::new();
            let meeting = Arc::new(std::sync::Barrier::new(3));
            for name in ["traces", "metrics", "logs"] {
                let meeting = Arc::clone(&meeting);
                manager
                    .telemetry(name, move |_| {
                        meeting.wait();
                        Ok(())
                    })
                    .unwrap();
            }
            let began = Instant::now();
            manager.shutdown().await.unwrap();
            assert_by("wait", began, SECOND);
        });
    })
    .passed();
}

/// FAILURES 75.
#[test]
fn a_log_sink_that_blocks_takes_at_most_a_quarter_of_the_time_of_telemetry() {
    child::run(|| {
        workers(2).block_on(async {
            let armed = BlockingSink::install();
            let time = 4 * FLUSH;
            let manager = Manager::builder().telemetry_timeout(time).build().unwrap();
            let (sender, flushed) = mpsc::channel();
            manager.telemetry("traces", move |left| Ok(sender.send(left)?)).unwrap();
            let ctx = context(&manager);
            armed.store(true, Ordering::SeqCst);
            thread::spawn(move || ctx.request_stop("enough"));
            let _ = manager.wait().await;
            let left = flushed.try_recv().unwrap();
            // Three quarters, less the margin of a flush, and something for a busy machine.
            assert!(left > time / 2, "{left:?}");
        });
    })
    .passed();
}

/// Invariant 4.
#[test]
fn telemetry_is_refused_once_the_shutdown_has_begun() {
    child::run(|| {
        workers(2).block_on(async {
            let manager = Manager::new();
            manager.run(worker("work")).unwrap();
            manager.stop();
            let refused = manager.telemetry("traces", |_| Ok(())).unwrap_err();
            assert!(refused.is_too_late());
            assert_eq!(refused.to_string(), "`traces` was refused");
            manager.wait().await.unwrap();
            assert!(manager.telemetry("traces", |_| Ok(())).unwrap_err().is_too_late());
        });
    })
    .passed();
}

#[test]
fn a_nested_group_flushes_at_its_own_end_within_the_time_of_its_task() {
    child::run(|| {
        workers(2).block_on(async {
            let inner = Manager::builder().name("inner").build().unwrap();
            let (sender, flushed) = mpsc::channel();
            inner.telemetry("traces", move |left| Ok(sender.send(left)?)).unwrap();
            inner.run(unresponsive("hangs")).unwrap();
            let outer = short().build().unwrap();
            let nested = outer.run(inner.into_task()).unwrap();
            tokio::time::sleep(SECOND / 10).await;
            let began = Instant::now();
            outer.shutdown().await.unwrap_err();
            assert_by("wait", began, SECOND);
            assert_eq!(nested.outcome(), Some(Outcome::Failed), "it has ended by itself");
            // A fifth of what the task has left.
            let left = flushed.try_recv().unwrap();
            assert!(left > SECOND / 20 && left < SECOND / 5, "{left:?}");
        });
    })
    .passed();
}

#[test]
fn a_pulse_beats_while_telemetry_is_flushed() {
    child::run(|| {
        workers(2).block_on(async {
            let manager = Manager::new();
            manager
                .telemetry("traces", |left| {
                    thread::sleep(left / 2);
                    Ok(())
                })
                .unwrap();
            let (sender, beats) = mpsc::channel();
            manager
                .run(task_fn("watchdog", async move |ctx: Context| {
                    ctx.pulse(SECOND / 10, move |beat| {
                        let _ = sender.send(beat);
                    });
                    ctx.cancelled().await;
                    Ok(())
                }))
                .unwrap();
            tokio::time::sleep(SECOND / 10).await;
            manager.shutdown().await.unwrap();
            let ended = beats.try_iter().filter(|beat| beat.step == Step::Ended && beat.is_alive());
            assert!(ended.count() >= 4);
        });
    })
    .passed();
}

#[test]
fn a_service_without_a_limit_for_its_shutdown_limits_telemetry() {
    child::run(|| {
        workers(2).block_on(async {
            let never = task_manager::Timeout::Never;
            let manager = Manager::builder()
                .shutdown_timeout(never)
                .telemetry_timeout(FLUSH)
                .build()
                .unwrap();
            manager
                .telemetry("traces", |_| {
                    block();
                    Ok(())
                })
                .unwrap();
            manager.run(worker("work").boxed()).unwrap();
            let began = Instant::now();
            let report = manager.shutdown().await.unwrap();
            assert_by("wait", began, FLUSH);
            assert_eq!(report.steps().budget, None);
        });
    })
    .passed();
}
