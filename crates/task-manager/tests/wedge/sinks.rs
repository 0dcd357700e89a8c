//! Log sinks that block (invariant 9).

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use task_manager::{Manager, Outcome, Phase, Task, task_fn};
use tracing::{Event, Metadata, Subscriber, span};

use crate::{
    child,
    stuck::{SECOND, STOP_END, abandoned, block, block_workers, on_time, short, worker, workers},
};

/// Blocks whoever logs once it is armed.
struct BlockingSink(Arc<AtomicBool>);

impl BlockingSink {
    fn install() -> Arc<AtomicBool> {
        let armed = Arc::new(AtomicBool::new(false));
        tracing::subscriber::set_global_default(Self(armed.clone())).unwrap();
        armed
    }

    fn pass(&self) {
        if self.0.load(Ordering::SeqCst) {
            block();
        }
    }
}

impl Subscriber for BlockingSink {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        self.pass();
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, _: &Event<'_>) {
        self.pass();
    }
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

#[test]
fn a_log_sink_that_blocks_from_the_trigger_on_holds_no_deadline() {
    child::run(|| {
        workers(2).block_on(async {
            let armed = BlockingSink::install();
            let manager = short().build().unwrap();
            block_workers(|task| manager.run(task).unwrap(), 2);
            let handle = manager.handle();
            let began = Instant::now();
            thread::spawn(move || {
                armed.store(true, Ordering::SeqCst);
                handle.stop();
            });
            let error = manager.wait().await.unwrap_err();
            on_time("wait with a log sink that blocks", began, STOP_END);
            assert_eq!(abandoned(error.report().unwrap()), ["stuck-0", "stuck-1"]);
        });
    })
    .passed();
}

#[test]
fn a_log_sink_that_blocks_keeps_nobody_from_learning_how_a_task_ended() {
    child::run(|| {
        workers(4).block_on(async {
            let manager = short().build().unwrap();
            let one = manager.run(worker("one")).unwrap();
            let other = manager.run(worker("other")).unwrap();
            tokio::time::sleep(Duration::from_millis(50)).await;
            let armed = BlockingSink::install();
            let handle = manager.handle();
            let began = Instant::now();
            thread::spawn(move || {
                armed.store(true, Ordering::SeqCst);
                handle.stop();
            });
            manager.wait().await.unwrap();
            assert_eq!(one.ended().await, Outcome::Completed);
            assert_eq!(other.ended().await, Outcome::Completed);
            on_time("the ends of tasks with a log sink that blocks", began, Duration::ZERO);
        });
    })
    .passed();
}

#[test]
fn a_log_sink_that_blocks_during_the_cleanups_costs_them_no_more_than_their_budget() {
    child::run(|| {
        workers(4).block_on(async {
            let manager = short().build().unwrap();
            let armed = BlockingSink::install();
            manager.cleanup("next", async || Ok(())).unwrap();
            manager
                .cleanup("arms", async move || {
                    armed.store(true, Ordering::SeqCst);
                    Ok(())
                })
                .unwrap();
            let handle = manager.handle();
            let began = Instant::now();
            // Not by this thread, whose own log line could then block.
            manager
                .run(task_fn("stops", async move |_| {
                    // By then the main thread has taken its first look, after which it drives nothing.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    handle.stop();
                    Ok(())
                }))
                .unwrap();
            let _ = manager.wait().await;
            assert!(began.elapsed() < 2 * SECOND, "{:?}", began.elapsed());
        });
    })
    .passed();
}

#[test]
fn a_log_sink_that_blocks_costs_one_thread_and_not_one_for_each_step() {
    child::run(|| {
        workers(2).block_on(async {
            let armed = BlockingSink::install();
            let budget = Duration::from_millis(800);
            let manager =
                Manager::builder().total(2 * SECOND).cleanup_budget(budget).build().unwrap();
            for phase in 0..40 {
                manager.run(worker("waits").in_phase(Phase::new(phase))).unwrap();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
            block_workers(|task| manager.run(task).unwrap(), 2);
            for _ in 0..40 {
                manager.cleanup("close", async || Ok(())).unwrap();
            }
            let handle = manager.handle();
            let began = Instant::now();
            thread::spawn(move || {
                armed.store(true, Ordering::SeqCst);
                handle.stop();
            });
            let error = manager.wait().await.unwrap_err();
            on_time("eighty steps with a log sink that blocks", began, 2 * SECOND);
            assert_eq!(error.report().unwrap().totals().abandoned, 42);
            assert_eq!(error.report().unwrap().cleanups().len(), 40);
        });
    })
    .passed();
}
