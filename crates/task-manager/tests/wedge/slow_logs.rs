//! What goes on behind somebody who is blocked in a log line (invariant 9).

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
    stuck::{SECOND, SHORT_GRACE, block, context, deaf, on_time, short, worker, workers},
};

/// By then the main thread has taken its first look, after which it drives nothing.
const SETTLED: Duration = Duration::from_millis(100);

/// Takes a while once it has woken the other.
struct SlowWaker(Waker);

impl Wake for SlowWaker {
    fn wake(self: Arc<Self>) {
        self.0.wake_by_ref();
        thread::sleep(SETTLED);
    }
}

#[test]
fn the_end_of_a_blocking_task_that_failed_is_not_held_by_its_own_log_line() {
    child::run(|| {
        workers(4).block_on(async {
            let armed = BlockingSink::install();
            let manager = short().build().unwrap();
            let purge = blocking_task("purge", move |_| {
                thread::sleep(SETTLED);
                armed.store(true, Ordering::SeqCst);
                bail!("disk full")
            });
            let lingers = async move |ctx| {
                // Its thread lets go of the task only after that has ended.
                let mut run = pin!(purge.run(ctx));
                poll_fn(|cx| {
                    let waker = Waker::from(Arc::new(SlowWaker(cx.waker().clone())));
                    run.as_mut().poll(&mut task::Context::from_waker(&waker))
                })
                .await
            };
            let task = manager.run(task_fn("purge", lingers)).unwrap();
            let began = Instant::now();
            manager.wait().await.unwrap_err();
            on_time("the end of a blocking task behind its log line", began, 2 * SETTLED);
            assert_eq!(task.outcome(), Some(Outcome::Failed));
        });
    })
    .passed();
}

#[test]
fn a_wait_in_a_spawned_task_returns_though_the_worker_that_woke_it_logs() {
    child::run(|| {
        let runtime = workers(4);
        let _entered = runtime.enter();
        let armed = BlockingSink::install();
        let manager = Arc::new(short().build().unwrap());
        let began = Instant::now();
        manager
            .run(task_fn("job", async move |_| {
                tokio::time::sleep(SETTLED).await;
                armed.store(true, Ordering::SeqCst);
                Ok(())
            }))
            .unwrap();
        let (tell, told) = mpsc::channel();
        runtime.spawn(async move { tell.send(manager.wait().await.is_ok()) });
        assert_eq!(told.recv_timeout(3 * SECOND), Ok(true));
        on_time("a wait in a spawned task", began, SETTLED);
    })
    .passed();
}

#[test]
fn a_task_that_failed_and_is_held_ends_with_the_hold_though_its_log_line_blocks() {
    child::run(|| {
        workers(4).block_on(async {
            let armed = BlockingSink::install();
            let manager = short().build().unwrap();
            let task = manager
                .run(task_fn("held", async move |ctx: Context| {
                    let hold = ctx.hold();
                    thread::spawn(move || {
                        thread::sleep(2 * SETTLED);
                        drop(hold);
                    });
                    tokio::time::sleep(SETTLED).await;
                    armed.store(true, Ordering::SeqCst);
                    bail!("disk full")
                }))
                .unwrap();
            let began = Instant::now();
            manager.wait().await.unwrap_err();
            on_time("the end of a held task behind its log line", began, 2 * SETTLED);
            assert_eq!(task.outcome(), Some(Outcome::Failed));
        });
    })
    .passed();
}

#[test]
fn whoever_a_stop_wakes_last_runs_though_the_worker_that_stopped_it_logs() {
    child::run(|| {
        workers(6).block_on(async {
            let armed = BlockingSink::install();
            let manager = short().build().unwrap();
            let tasks = ["a", "b", "c"].map(|name| manager.run(worker(name)).unwrap());
            tokio::time::sleep(SETTLED).await;
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

#[test]
fn whoever_is_aborted_last_is_dropped_though_the_worker_that_aborted_it_logs() {
    child::run(|| {
        workers(6).block_on(async {
            let armed = BlockingSink::install();
            let manager = short().build().unwrap();
            let tasks = ["a", "b", "c"].map(|name| manager.run(deaf(name)).unwrap());
            tokio::time::sleep(SETTLED).await;
            manager.stop();
            tokio::time::sleep(SETTLED).await;
            armed.store(true, Ordering::SeqCst);
            for task in tasks {
                let ended = tokio::time::timeout(2 * SECOND, task.ended()).await;
                assert_eq!(ended, Ok(Outcome::Aborted), "{}", task.name());
            }
        });
    })
    .passed();
}

#[test]
fn an_abort_escalation_is_not_held_by_the_log_line_of_the_trigger_that_it_is() {
    child::run(|| {
        workers(4).block_on(async {
            let armed = BlockingSink::install();
            let manager = short().shutdown_timeout(3 * SECOND).build().unwrap();
            manager.run(deaf("deaf")).unwrap();
            let ctx = context(&manager);
            tokio::time::sleep(SETTLED).await;
            let began = Instant::now();
            thread::spawn(move || {
                armed.store(true, Ordering::SeqCst);
                ctx.escalate(Escalation::Abort);
            });
            manager.wait().await.unwrap_err();
            on_time("an abort behind a log line", began, SHORT_GRACE);
        });
    })
    .passed();
}

/// Blocks whoever asks it, once it is armed, whether a line is wanted.
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

#[test]
fn an_end_is_seen_though_the_log_blocks_when_it_is_asked_what_it_wants() {
    child::run(|| {
        workers(4).block_on(async {
            let armed = Arc::new(AtomicBool::new(false));
            tracing::subscriber::set_global_default(BlockingFilter(armed.clone())).unwrap();
            let manager = short().build().unwrap();
            let job = async move |_| {
                tokio::time::sleep(SETTLED).await;
                armed.store(true, Ordering::SeqCst);
                Ok(())
            };
            let job = manager.run_ephemeral(task_fn("job", job)).unwrap();
            let ended = tokio::time::timeout(SECOND, job.ended()).await;
            assert_eq!(ended, Ok(Outcome::Completed));
            // Or it would be stopped, and that be logged.
            std::mem::forget(manager);
        });
    })
    .passed();
}
