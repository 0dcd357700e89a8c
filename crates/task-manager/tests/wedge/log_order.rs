//! The order of a group's log lines, whichever thread writes them, and a sink that is slow or
//! blocks in the middle of them.

use std::{
    fmt::Debug,
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    task::{self, Wake, Waker},
    thread,
    time::{Duration, Instant},
};

use anyhow::anyhow;
use task_manager::{Context, Manager, Step, task_fn};
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

use crate::{
    child,
    support::{SECOND, assert_on_time, block, context, unresponsive, worker, workers},
};

/// How long a `wait` waits for the last line.
const LAST_LINE_TIMEOUT: Duration = Duration::from_millis(100);

/// A line: of which manager, its message, and its other fields.
#[derive(Clone, Debug, Default)]
struct Line {
    manager: String,
    message: String,
    error: String,
    lines: u64,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        match field.name() {
            "message" => self.message = format!("{value:?}"),
            "manager" => self.manager = format!("{value:?}").trim_matches('"').into(),
            "error" => self.error = format!("{value:?}").trim_matches('"').into(),
            _ => {}
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "lines" {
            self.lines = value;
        }
    }
}

/// Records lines after a pause, and blocks in those of one message while it is armed.
#[derive(Clone, Default)]
struct Sink {
    pause: Duration,
    lines: Arc<Mutex<Vec<Line>>>,
    blocks: Arc<Mutex<Option<&'static str>>>,
    is_blocking: Arc<AtomicBool>,
}

impl Sink {
    fn install(pause: Duration) -> Self {
        let sink = Self { pause, ..Self::default() };
        tracing::subscriber::set_global_default(sink.clone()).unwrap();
        sink
    }

    fn of(&self, manager: &str) -> Vec<Line> {
        let lines = self.lines.lock().unwrap();
        lines.iter().filter(|line| line.manager == manager).cloned().collect()
    }

    fn block_in(&self, message: Option<&'static str>) {
        *self.blocks.lock().unwrap() = message;
    }

    fn wait_until_blocked(&self) {
        let began = Instant::now();
        while !self.is_blocking.load(Ordering::SeqCst) {
            assert!(began.elapsed() < 5 * SECOND, "nothing was logged");
            thread::yield_now();
        }
    }
}

impl Subscriber for Sink {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "task" && metadata.is_event()
    }
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        while *self.blocks.lock().unwrap() == Some(&*line.message) {
            self.is_blocking.store(true, Ordering::SeqCst);
            thread::sleep(Duration::from_millis(1));
        }
        self.is_blocking.store(false, Ordering::SeqCst);
        thread::sleep(self.pause);
        self.lines.lock().unwrap().push(line);
    }
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

/// Invariant 9. FAILURES 1.
#[test]
fn lines_come_in_the_order_of_the_events_and_before_wait_returns() {
    child::run(|| {
        let sink = Sink::install(Duration::from_micros(50));
        workers(4).block_on(async {
            for round in 0..300 {
                let name = format!("round {round}");
                let manager = Manager::builder().name(name.clone()).build().unwrap();
                manager.run(worker("work")).unwrap();
                let late = task_fn("late", async |ctx: Context| {
                    ctx.cancelled().await;
                    Err(anyhow!("second"))
                });
                manager.run(late).unwrap();
                manager.cleanup("close", async || Ok(())).unwrap();
                manager.run(task_fn("bad", async |_| Err(anyhow!("first")))).unwrap();
                manager.wait().await.unwrap_err();
                let lines = sink.of(&name);
                let lines: Vec<_> = lines
                    .iter()
                    .map(|line| format!("{} {}", line.message, line.error))
                    .filter(|line| !line.starts_with("task started"))
                    .filter(|line| !line.starts_with("task ended"))
                    .collect();
                let expected = [
                    "task failed first",
                    "shutdown begins ",
                    "shutdown goes on ",
                    "shutdown goes on ",
                    "task failed second",
                    "shutdown goes on ",
                    "cleanup ended ",
                    "shutdown ended ",
                ];
                assert_eq!(lines, expected, "{name}");
            }
        });
    })
    .passed();
}

/// Invariant 9. FAILURES 75.
#[test]
fn a_sink_that_blocks_in_the_last_line_holds_one_wait_for_its_limit_and_no_other() {
    child::run(|| {
        let sink = Sink::install(Duration::ZERO);
        workers(4).block_on(async {
            sink.block_in(Some("shutdown ended"));
            let stopped = || {
                let manager = Manager::new();
                let handle = manager.handle();
                thread::spawn(move || handle.stop());
                // By then, it is that thread which writes.
                while manager.group().step() != Step::Ended {
                    thread::yield_now();
                }
                manager
            };
            let manager = stopped();
            sink.wait_until_blocked();
            let began = Instant::now();
            manager.wait().await.unwrap();
            assert_on_time("a wait behind its last line", began, LAST_LINE_TIMEOUT);
            let began = Instant::now();
            for _ in 0..20 {
                stopped().wait().await.unwrap();
            }
            assert_on_time("waits behind the last line of another", began, Duration::ZERO);
        });
    })
    .passed();
}

/// Records this many failures in each of four threads. Returns how long the longest call took.
fn fail_in_threads(ctx: &Context, count: u64) -> Duration {
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let ctx = ctx.clone();
            let call = move |_| {
                let began = Instant::now();
                ctx.record_failure(anyhow!("again"));
                began.elapsed()
            };
            thread::spawn(move || (0..count).map(call).max().unwrap())
        })
        .collect();
    threads.into_iter().map(|thread| thread.join().unwrap()).max().unwrap()
}

/// Invariants 9 and 10. FAILURES 75.
#[test]
fn behind_a_sink_that_blocks_the_further_lines_are_lost_and_counted() {
    child::run(|| {
        let sink = Sink::install(Duration::from_micros(20));
        workers(2).block_on(async {
            let manager = Manager::new();
            let ctx = context(&manager);
            sink.block_in(Some("task failed and went on"));
            let first = ctx.clone();
            let blocked = thread::spawn(move || first.record_failure(anyhow!("first")));
            sink.wait_until_blocked();
            let began = Instant::now();
            fail_in_threads(&ctx, 1_000);
            assert_on_time("four thousand lines behind one", began, SECOND);
            let before = sink.of("manager").len();
            sink.block_in(None);
            while sink.of("manager").len() <= before + 1 {
                thread::yield_now();
            }
            // While the lines from before are written: the losses have their place among them.
            manager.shutdown().await.unwrap_err();
            blocked.join().unwrap();
            // On a busy machine the thread that writes the last line may be late.
            let is_last =
                |lines: &[Line]| lines.last().is_some_and(|line| line.message == "shutdown ended");
            let began = Instant::now();
            while !is_last(&sink.of("manager")) && began.elapsed() < 10 * SECOND {
                thread::sleep(Duration::from_millis(10));
            }
            let lines = sink.of("manager");
            let written = lines.iter().filter(|line| line.message.starts_with("task failed"));
            let written = written.count() as u64;
            let lost: u64 = lines.iter().map(|line| line.lines).sum();
            assert_eq!(written + lost, 4_001);
            assert!((1_024..1_100).contains(&written), "{written}");
            assert_eq!(lines.last().unwrap().message, "shutdown ended");
        });
    })
    .passed();
}

/// Invariant 2. FAILURES 75.
#[test]
fn behind_a_sink_that_is_slow_no_line_is_lost_and_no_thread_writes_all() {
    child::run(|| {
        let sink = Sink::install(Duration::from_micros(100));
        workers(2).block_on(async {
            let manager = Manager::new();
            let began = Instant::now();
            let longest = fail_in_threads(&context(&manager), 2_000);
            assert!(longest < began.elapsed() / 2, "{longest:?} of {:?}", began.elapsed());
            manager.shutdown().await.unwrap_err();
            // On a busy machine the thread that writes the last line may be late.
            let is_last =
                |lines: &[Line]| lines.last().is_some_and(|line| line.message == "shutdown ended");
            let began = Instant::now();
            while !is_last(&sink.of("manager")) && began.elapsed() < 10 * SECOND {
                thread::sleep(Duration::from_millis(10));
            }
            let lines = sink.of("manager");
            let written = lines.iter().filter(|line| line.message.starts_with("task failed"));
            assert_eq!(written.count(), 8_000);
        });
    })
    .passed();
}

/// Blocks the thread that calls it.
struct BlockingWaker(mpsc::Sender<()>);

impl Wake for BlockingWaker {
    fn wake(self: Arc<Self>) {
        self.0.send(()).unwrap();
        block();
    }
}

/// Invariant 9. FAILURES 75.
#[test]
fn an_event_without_lines_of_its_own_does_not_write_those_of_another() {
    child::run(|| {
        let sink = Sink::install(Duration::ZERO);
        workers(2).block_on(async {
            let manager = Manager::new();
            manager.run(unresponsive("unresponsive")).unwrap();
            let mut group = manager.group();
            let mut changed = pin!(group.changed());
            let (sender, receiver) = mpsc::channel();
            let waker = Waker::from(Arc::new(BlockingWaker(sender)));
            assert!(changed.as_mut().poll(&mut task::Context::from_waker(&waker)).is_pending());
            sink.block_in(Some("shutdown begins"));
            let handle = manager.handle();
            thread::spawn(move || handle.stop());
            receiver.recv_timeout(5 * SECOND).expect("the line is queued, and not yet written");
            let began = Instant::now();
            manager.stop();
            assert_on_time("a second stop", began, Duration::ZERO);
            // A drop would have lines of its own.
            std::mem::forget(manager);
        });
    })
    .passed();
}
