//! Progress behind a thread that is blocked in a log event.

use std::{
    future::poll_fn,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    task::{self, Wake, Waker},
    thread,
    time::{Duration, Instant},
};

use anyhow::bail;
use task_manager::{Context, Escalation, Outcome, Task, blocking_task, task_fn};
use tracing::{Event, Metadata, Subscriber, span, subscriber::Interest};

use crate::{
    child,
    sinks::BlockingSink,
    support::{
        ESCALATED_GRACE, SECOND, assert_on_time, block, context, short, unresponsive, worker,
        workers,
    },
};

/// Until the wait was polled, after which the main thread advances nothing more.
const SETTLE_TIME: Duration = Duration::from_millis(100);

/// Wakes the inner waker, and then blocks for a while.
struct SlowWaker(Waker);

impl Wake for SlowWaker {
    fn wake(self: Arc<Self>) {
        self.0.wake_by_ref();
        thread::sleep(SETTLE_TIME);
    }
}

/// Invariant 9. FAILURES 75.
#[test]
fn a_blocked_log_event_does_not_delay_the_end_of_the_blocking_task_that_failed() {
    child::run(|| {
        workers(4).block_on(async {
            let armed = BlockingSink::install();
            let manager = short().build().unwrap();
            let purge = blocking_task("purge", move |_| {
                thread::sleep(SETTLE_TIME);
                armed.store(true, Ordering::SeqCst);
                bail!("disk full")
            });
            let slow = async move |ctx| {
                // The thread of the blocking task drops its hold only after the task has ended.
                let mut run = pin!(purge.run(ctx));
                poll_fn(|cx| {
                    let waker = Waker::from(Arc::new(SlowWaker(cx.waker().clone())));
                    run.as_mut().poll(&mut task::Context::from_waker(&waker))
                })
                .await
            };
            let task = manager.run(task_fn("purge", slow)).unwrap();
            let began = Instant::now();
            manager.wait().await.unwrap_err();
            assert_on_time(
                "the end of a blocking task behind its log event",
                began,
                2 * SETTLE_TIME,
            );
            assert_eq!(task.outcome(), Some(Outcome::Failed));
        });
    })
    .passed();
}

/// Invariant 9. FAILURES 75.
#[test]
fn a_wait_in_a_spawned_task_returns_while_the_worker_that_woke_it_logs() {
    child::run(|| {
        let runtime = workers(4);
        let _entered = runtime.enter();
        let armed = BlockingSink::install();
        let manager = Arc::new(short().build().unwrap());
        let began = Instant::now();
        manager
            .run(task_fn("job", async move |_| {
                tokio::time::sleep(SETTLE_TIME).await;
                armed.store(true, Ordering::SeqCst);
                Ok(())
            }))
            .unwrap();
        let (sender, receiver) = mpsc::channel();
        runtime.spawn(async move { sender.send(manager.wait().await.is_ok()) });
        assert_eq!(receiver.recv_timeout(3 * SECOND), Ok(true));
        assert_on_time("a wait in a spawned task", began, SETTLE_TIME);
    })
    .passed();
}

/// Invariant 9. FAILURES 75.
#[test]
fn a_failed_task_that_is_held_ends_with_its_hold_while_its_log_event_blocks() {
    child::run(|| {
        workers(4).block_on(async {
            let armed = BlockingSink::install();
            let manager = short().build().unwrap();
            let task = manager
                .run(task_fn("held", async move |ctx: Context| {
                    let hold = ctx.hold();
                    thread::spawn(move || {
                        thread::sleep(2 * SETTLE_TIME);
                        drop(hold);
                    });
                    tokio::time::sleep(SETTLE_TIME).await;
                    armed.store(true, Ordering::SeqCst);
                    bail!("disk full")
                }))
                .unwrap();
            let began = Instant::now();
            manager.wait().await.unwrap_err();
            assert_on_time("the end of a held task behind its log event", began, 2 * SETTLE_TIME);
            assert_eq!(task.outcome(), Some(Outcome::Failed));
        });
    })
    .passed();
}

/// Invariant 9. FAILURES 75.
#[test]
fn the_last_task_that_a_stop_wakes_runs_while_the_worker_that_stopped_it_logs() {
    child::run(|| {
        workers(6).block_on(async {
            let armed = BlockingSink::install();
            let manager = short().build().unwrap();
            let tasks = ["a", "b", "c"].map(|name| manager.run(worker(name)).unwrap());
            tokio::time::sleep(SETTLE_TIME).await;
            let handle = manager.handle();
            tokio::spawn(async move {
                armed.store(true, Ordering::SeqCst);
                handle.stop();
            });
            for task in tasks {
                let ended = tokio::time::timeout(SECOND, task.ended()).await;
                assert_eq!(ended, Ok(Outcome::Completed), "{}", task.name());
            }
        });
    })
    .passed();
}

/// Invariant 9. FAILURES 75.
#[test]
fn the_last_task_to_be_aborted_is_dropped_while_the_worker_that_aborted_it_logs() {
    child::run(|| {
        workers(6).block_on(async {
            let armed = BlockingSink::install();
            let manager = short().build().unwrap();
            let tasks = ["a", "b", "c"].map(|name| manager.run(unresponsive(name)).unwrap());
            tokio::time::sleep(SETTLE_TIME).await;
            manager.stop();
            tokio::time::sleep(SETTLE_TIME).await;
            armed.store(true, Ordering::SeqCst);
            for task in tasks {
                let ended = tokio::time::timeout(2 * SECOND, task.ended()).await;
                assert_eq!(ended, Ok(Outcome::Aborted), "{}", task.name());
            }
        });
    })
    .passed();
}

/// Invariant 9. FAILURES 75.
#[test]
fn a_blocked_log_event_of_an_abort_escalation_does_not_delay_the_aborts() {
    child::run(|| {
        workers(4).block_on(async {
            let armed = BlockingSink::install();
            let manager = short().shutdown_timeout(5 * SECOND).build().unwrap();
            manager.run(unresponsive("unresponsive")).unwrap();
            let ctx = context(&manager);
            tokio::time::sleep(SETTLE_TIME).await;
            let began = Instant::now();
            thread::spawn(move || {
                armed.store(true, Ordering::SeqCst);
                ctx.escalate(Escalation::Abort);
            });
            manager.wait().await.unwrap_err();
            assert_on_time("an abort behind a log event", began, ESCALATED_GRACE);
        });
    })
    .passed();
}

/// A filter that blocks each thread that asks it, once it is armed.
struct BlockingFilter(Arc<AtomicBool>);

impl Subscriber for BlockingFilter {
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::sometimes()
    }
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        if metadata.target() == "task" && self.0.load(Ordering::SeqCst) {
            block();
        }
        true
    }
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, _: &Event<'_>) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

/// Invariant 9. FAILURES 75.
#[test]
fn an_outcome_is_visible_while_the_filter_of_the_log_blocks() {
    child::run(|| {
        workers(4).block_on(async {
            let armed = Arc::new(AtomicBool::new(false));
            tracing::subscriber::set_global_default(BlockingFilter(armed.clone())).unwrap();
            let manager = short().build().unwrap();
            let job = async move |_| {
                tokio::time::sleep(SETTLE_TIME).await;
                armed.store(true, Ordering::SeqCst);
                Ok(())
            };
            let job = manager.run_ephemeral(task_fn("job", job)).unwrap();
            let ended = tokio::time::timeout(SECOND, job.ended()).await;
            assert_eq!(ended, Ok(Outcome::Completed));
            // A drop would stop the group, and log that.
            std::mem::forget(manager);
        });
    })
    .passed();
}
