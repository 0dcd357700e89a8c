//! The log: events and spans with stable field names, under the target `task`.

use std::{
    fmt::{Debug, Write as _},
    sync::{
        LazyLock, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use anyhow::anyhow;
use task_manager::{Context, Manager, Phase, Task, task_fn};
use tracing::{
    Dispatch, Event, Metadata, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
    span, subscriber,
};

use crate::support::{Journal, SECOND, slow, unresponsive, worker};

/// Records each event as one line, which begins with the spans that it is in.
#[derive(Default)]
struct Recorder {
    /// Whether it records only warnings and errors.
    is_quiet: bool,
    /// The maximum level that it reports to `tracing`.
    max_level: Option<LevelFilter>,
    lines: Journal,
    last_span: AtomicU64,
    names: Mutex<Vec<(u64, String)>>,
    entered: Mutex<Vec<u64>>,
}

#[derive(Default)]
struct Fields(String);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        // Durations vary between runs.
        if !matches!(field.name(), "ran" | "took") {
            write!(self.0, " {}={value:?}", field.name()).unwrap();
        }
    }
}

impl Subscriber for Recorder {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let is_ours = metadata.target() == "task" || metadata.target().starts_with("it");
        // The level of the process is the highest of the subscribers of all tests.
        let is_taken = self.max_level.is_none_or(|max| *metadata.level() <= max);
        is_ours && is_taken && !(self.is_quiet && *metadata.level() > tracing::Level::WARN)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        self.max_level
    }

    fn new_span(&self, attributes: &span::Attributes<'_>) -> span::Id {
        let id = self.last_span.fetch_add(1, Ordering::SeqCst) + 1;
        let mut fields = Fields(attributes.metadata().name().into());
        attributes.record(&mut fields);
        self.names.lock().unwrap().push((id, fields.0));
        span::Id::from_u64(id)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let entered = self.entered.lock().unwrap().clone();
        let spans = entered.iter().map(|id| {
            let names = self.names.lock().unwrap();
            let (_, name) = names.iter().find(|(known, _)| known == id).unwrap();
            format!("[{name}] ")
        });
        let spans: String = spans.collect();
        self.lines.note(format!("{spans}{}{}", event.metadata().level(), fields.0));
    }

    fn enter(&self, id: &span::Id) {
        self.entered.lock().unwrap().push(id.into_u64());
    }

    fn exit(&self, _: &span::Id) {
        self.entered.lock().unwrap().pop();
    }
}

fn record() -> (Journal, subscriber::DefaultGuard) {
    record_with(Recorder::default())
}

/// A second dispatcher. With a single one, `tracing` would cache the interest of the first thread
/// that reaches an event; if that is a test without a subscriber, no other test would see the
/// event.
static SECOND_DISPATCH: LazyLock<Dispatch> = LazyLock::new(|| {
    Dispatch::new(Recorder { max_level: Some(LevelFilter::OFF), ..Recorder::default() })
});

fn record_with(recorder: Recorder) -> (Journal, subscriber::DefaultGuard) {
    LazyLock::force(&SECOND_DISPATCH);
    let lines = recorder.lines.clone();
    (lines, subscriber::set_default(recorder))
}

#[tokio::test(start_paused = true)]
async fn starts_ends_and_steps_are_events_with_stable_fields() {
    let (lines, _guard) = record();
    let manager = Manager::builder().name("orders").build().unwrap();
    manager.run(worker("work")).unwrap();
    manager.run(task_fn("bad", async |_| Err(anyhow!("no broker")))).unwrap();
    manager.cleanup("close", async || Ok(())).unwrap();
    manager.wait().await.unwrap_err();
    let expected = [
        r#"DEBUG message=task started manager="orders" task="work" id=1"#,
        r#"DEBUG message=task started manager="orders" task="bad" id=2"#,
        r#"ERROR message=task failed manager="orders" task="bad" id=2 outcome="failed" error="no broker""#,
        r#"INFO message=shutdown begins manager="orders" cause="task `bad` failed""#,
        r#"DEBUG message=shutdown goes on manager="orders" step="draining""#,
        r#"DEBUG message=shutdown goes on manager="orders" step="stopping""#,
        r#"DEBUG message=task ended manager="orders" task="work" id=1 outcome="completed""#,
        r#"DEBUG message=shutdown goes on manager="orders" step="cleaning up""#,
        r#"DEBUG message=cleanup ended manager="orders" cleanup="close" outcome="completed""#,
        r#"ERROR message=shutdown ended manager="orders" cause="task `bad` failed" failures=1"#,
    ];
    assert_eq!(lines.read(), expected);
}

/// Invariant 2.
#[tokio::test(start_paused = true)]
async fn the_last_event_also_counts_the_failures_that_the_report_omits() {
    let (lines, _guard) = record_with(Recorder { is_quiet: true, ..Recorder::default() });
    let manager = Manager::new();
    for _ in 0..130 {
        manager.run(task_fn("bad", async |_| Err(anyhow!("no broker")))).unwrap();
    }
    manager.wait().await.unwrap_err();
    assert!(lines.read().last().unwrap().ends_with("failures=130"));
}

#[tokio::test(start_paused = true)]
async fn at_level_warn_the_log_has_each_failed_task_and_the_end_of_the_shutdown() {
    let (lines, _guard) = record_with(Recorder { is_quiet: true, ..Recorder::default() });
    let manager = Manager::builder().name("orders").build().unwrap();
    manager.run(worker("work")).unwrap();
    manager.run(task_fn("bad", async |_| Err(anyhow!("no broker")))).unwrap();
    manager.wait().await.unwrap_err();
    let expected = [
        r#"ERROR message=task failed manager="orders" task="bad" id=2 outcome="failed" error="no broker""#,
        r#"ERROR message=shutdown ended manager="orders" cause="task `bad` failed" failures=1"#,
    ];
    assert_eq!(lines.read(), expected);
}

#[tokio::test(start_paused = true)]
async fn events_logged_by_a_task_or_a_cleanup_are_in_its_span() {
    let (lines, _guard) = record();
    let manager = Manager::new();
    manager
        .run(task_fn("work", async |ctx: Context| {
            tracing::info!("begins");
            ctx.cancelled().await;
            Ok(())
        }))
        .unwrap();
    manager
        .cleanup("close", async || {
            tokio::time::sleep(SECOND).await;
            tracing::info!("closes");
            Ok(())
        })
        .unwrap();
    tokio::task::yield_now().await;
    manager.shutdown().await.unwrap();
    let lines = lines.read();
    let in_spans: Vec<_> = lines.iter().filter(|line| line.starts_with('[')).collect();
    assert_eq!(
        in_spans,
        [
            r#"[task name="work" id=1] INFO message=begins"#,
            r#"[cleanup name="close"] INFO message=closes"#
        ],
        "{lines:#?}"
    );
}

#[tokio::test(start_paused = true)]
async fn at_level_info_the_log_has_the_spans_of_tasks() {
    let max_level = Some(LevelFilter::INFO);
    let (lines, _guard) = record_with(Recorder { max_level, ..Recorder::default() });
    let manager = Manager::new();
    let work = task_fn("work", async |_| {
        tracing::info!("begins");
        Ok(())
    });
    manager.run(work).unwrap();
    manager.wait().await.unwrap();
    assert_eq!(lines.read()[0], r#"[task name="work" id=1] INFO message=begins"#);
}

#[tokio::test(start_paused = true)]
async fn every_five_seconds_the_log_names_the_tasks_that_are_waited_for() {
    let (lines, _guard) = record();
    let manager = Manager::new();
    for _ in 0..25 {
        manager.run(unresponsive("unresponsive")).unwrap();
    }
    manager.run(slow("slow", 7 * SECOND, &Journal::default())).unwrap();
    manager.shutdown().await.unwrap_err();
    let lines = lines.read();
    let reminders: Vec<_> = lines.iter().filter(|line| line.contains("still waiting")).collect();
    assert_eq!(reminders.len(), 3, "after 5, 10 and 15 s: {reminders:#?}");
    assert!(reminders[0].contains("more=6 left=20.0"), "{}", reminders[0]);
    assert!(reminders[1].contains("more=5 left=15.0"), "{}", reminders[1]);
    assert_eq!(reminders[2].matches("unresponsive").count(), 20, "{}", reminders[2]);
    assert!(reminders[2].contains("unresponsive#1, unresponsive#2"), "{}", reminders[2]);
    let aborting = lines.iter().filter(|line| line.contains("deadline passed, aborting"));
    assert_eq!(aborting.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_log_names_the_tasks_of_stopped_phases_only_and_the_running_cleanup() {
    let (lines, _guard) = record();
    let manager = Manager::builder().cleanup_timeout(10 * SECOND).build().unwrap();
    manager.run(slow("slow", 6 * SECOND, &Journal::default())).unwrap();
    manager.run(worker("probes").in_phase(Phase::SUPPORT)).unwrap();
    manager
        .cleanup("flush", async || {
            tokio::time::sleep(6 * SECOND).await;
            Ok(())
        })
        .unwrap();
    manager.shutdown().await.unwrap();
    let lines = lines.read();
    let waiting = lines.iter().filter(|line| line.contains("still waiting"));
    let named: Vec<_> = waiting.map(|line| line.split('"').nth(3).unwrap()).collect();
    assert_eq!(named, ["slow", "flush"]);
}

#[tokio::test(start_paused = true)]
async fn changes_of_readiness_and_the_stop_of_one_task_are_events() {
    let (lines, _guard) = record();
    let manager = Manager::new();
    let task = task_fn("cache", async |ctx: Context| {
        ctx.set_ready(true);
        ctx.set_ready(true);
        ctx.cancelled().await;
        ctx.set_ready(false);
        ctx.record_failure(anyhow!("stale"));
        Ok(())
    });
    let task = manager.run_ephemeral(task).unwrap();
    tokio::task::yield_now().await;
    task.stop();
    assert!(lines.read().last().unwrap().contains("task asked to stop"));
    task.stop();
    task.ended().await;
    let expected = [
        r#"DEBUG message=task started manager="manager" task="cache" id=1"#,
        r#"[task name="cache" id=1] DEBUG message=task readiness changed manager="manager" task="cache" id=1 ready=true"#,
        r#"DEBUG message=task asked to stop manager="manager" task="cache" id=1"#,
        r#"[task name="cache" id=1] DEBUG message=task readiness changed manager="manager" task="cache" id=1 ready=false"#,
        r#"[task name="cache" id=1] ERROR message=task failed and went on manager="manager" task="cache" id=1 error="stale""#,
        r#"DEBUG message=task ended manager="manager" task="cache" id=1 outcome="completed""#,
    ];
    assert_eq!(lines.read(), expected);
    manager.shutdown().await.unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn aborts_abandonment_failed_cleanups_and_late_ends_are_warnings_or_errors() {
    let (lines, _guard) = record_with(Recorder { is_quiet: true, ..Recorder::default() });
    let builder = Manager::builder().shutdown_timeout(4 * SECOND).cleanup_timeout(SECOND);
    let manager = builder.build().unwrap();
    let (release, held) = tokio::sync::oneshot::channel::<()>();
    let holder = async |ctx: Context| {
        let hold = ctx.hold();
        tokio::spawn(async move {
            let _ = held.await;
            drop(hold);
        });
        std::future::pending().await
    };
    let task = manager.run(task_fn("holder", holder)).unwrap();
    manager.cleanup("close", async || Err(anyhow!("no such file"))).unwrap();
    manager.shutdown().await.unwrap_err();
    release.send(()).unwrap();
    tokio::time::sleep(SECOND).await;
    assert_eq!(task.outcome(), Some(task_manager::Outcome::Abandoned));
    manager.setup_failed(anyhow!("no config"));
    let expected = [
        r#"WARN message=deadline passed, aborting manager="manager" tasks="holder" more=0"#,
        r#"ERROR message=still alive after the abort, abandoned manager="manager" tasks="holder" more=0"#,
        r#"ERROR message=cleanup failed manager="manager" cleanup="close" outcome="failed" error="no such file""#,
        r#"ERROR message=shutdown ended manager="manager" cause="stop was called" failures=2"#,
        r#"WARN message=abandoned task ended after all manager="manager" task="holder" id=1 outcome="aborted""#,
        r#"ERROR message=setup failed after the end manager="manager" error="no config""#,
    ];
    assert_eq!(lines.read(), expected);
}
