//! Log sinks that block, and the log of a blocked runtime.

use std::{
    fmt::{Debug, Write as _},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use task_manager::{Manager, Outcome, Phase, Task, task_fn};
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

use crate::{
    child,
    support::{
        SECOND, STOP_END, abandoned, assert_on_time, block, block_workers, short, worker, workers,
    },
};

/// Blocks each thread that logs once it is armed.
pub(crate) struct BlockingSink(Arc<AtomicBool>);

impl BlockingSink {
    pub(crate) fn install() -> Arc<AtomicBool> {
        let armed = Arc::new(AtomicBool::new(false));
        tracing::subscriber::set_global_default(Self(armed.clone())).unwrap();
        armed
    }

    fn block_if_armed(&self) {
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
        self.block_if_armed();
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, _: &Event<'_>) {
        self.block_if_armed();
    }
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

/// Invariant 9. FAILURES 75.
#[test]
fn a_log_sink_that_blocks_from_the_trigger_on_delays_no_deadline() {
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
            assert_on_time("wait with a log sink that blocks", began, STOP_END);
            assert_eq!(abandoned(error.report().unwrap()), ["stuck-0", "stuck-1"]);
        });
    })
    .passed();
}

/// Invariant 9. FAILURES 75.
#[test]
fn a_log_sink_that_blocks_does_not_delay_the_outcomes_of_tasks() {
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
            assert_on_time("the ends of tasks with a log sink that blocks", began, Duration::ZERO);
        });
    })
    .passed();
}

/// Invariants 3 and 9. FAILURES 75.
#[test]
fn a_log_sink_that_blocks_during_the_cleanups_costs_no_more_than_their_budget() {
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
            // This thread does not stop the group, since its own log event could then block.
            manager
                .run(task_fn("stops", async move |_| {
                    // By then the wait was polled, and the main thread advances nothing more.
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

/// The number of threads of this process with that name.
#[cfg(target_os = "linux")]
fn threads(name: &str) -> usize {
    let threads = std::fs::read_dir("/proc/self/task").unwrap();
    let names = threads.map(|thread| std::fs::read_to_string(thread.unwrap().path().join("comm")));
    // The name of a thread that has ended meanwhile cannot be read.
    names.filter_map(Result::ok).filter(|found| found.trim() == name).count()
}

/// Invariant 9. FAILURES 75.
#[test]
fn a_log_sink_that_blocks_occupies_one_thread_and_not_one_for_each_step() {
    child::run(|| {
        workers(2).block_on(async {
            let armed = BlockingSink::install();
            let budget = Duration::from_millis(800);
            let manager = Manager::builder()
                .shutdown_timeout(2 * SECOND)
                .cleanup_timeout(budget)
                .build()
                .unwrap();
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
            assert_on_time("eighty steps with a log sink that blocks", began, 2 * SECOND);
            #[cfg(target_os = "linux")]
            assert_eq!(threads("task-log"), 1);
            assert_eq!(error.report().unwrap().totals().abandoned, 42);
            assert_eq!(error.report().unwrap().cleanups().len(), 40);
        });
    })
    .passed();
}

/// Records warnings and errors.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

struct Fields<'a>(&'a mut String);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {}={value:?}", field.name()).unwrap();
    }
}

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= tracing::Level::WARN
    }
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, event: &Event<'_>) {
        let mut line = String::new();
        event.record(&mut Fields(&mut line));
        self.0.lock().unwrap().push(line);
    }
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

#[test]
fn with_every_worker_blocked_the_log_names_the_tasks_waited_for_and_aborted() {
    child::run(|| {
        let lines = Lines::default();
        tracing::subscriber::set_global_default(lines.clone()).unwrap();
        let runtime = workers(2);
        let entered = runtime.enter();
        let manager = short().shutdown_timeout(6 * SECOND).build().unwrap();
        block_workers(|task| manager.run(task).unwrap(), 2);
        let began = Instant::now();
        manager.stop();
        let read = |count: usize| {
            loop {
                let lines = lines.0.lock().unwrap().clone();
                if lines.len() >= count {
                    return lines;
                }
                assert!(began.elapsed() < 8 * SECOND, "{lines:?}");
                thread::sleep(Duration::from_millis(5));
            }
        };
        let first = read(1);
        assert_on_time("the event after five seconds", began, 5 * SECOND);
        assert!(first[0].contains("still waiting"), "{first:?}");
        assert!(first[0].contains("stuck-0 (in a loop without await), stuck-1"), "{first:?}");
        let all = read(3);
        assert!(all[1].contains("deadline passed, aborting"), "{all:?}");
        assert!(all[2].contains("task failed") && all[2].contains("stuck-0"), "{all:?}");
        drop(entered);
    })
    .passed();
}
