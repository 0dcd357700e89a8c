//! The log: events and spans with stable field names, under the target `task`.

use std::{
    collections::BTreeSet,
    fmt::{Debug, Write as _},
    sync::{
        LazyLock, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::anyhow;
use task_manager::{Context, FailureKind, FailureOrigin, Manager, Phase, Report, Task, task_fn};
use tokio::runtime::Builder;
use tracing::{
    Dispatch, Event, Metadata, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
    span, subscriber,
};

use crate::support::{Journal, KeptHolds, SECOND, slow, unresponsive, worker};

/// Records each event as one line, which begins with the spans that it is in.
#[derive(Default)]
struct Recorder {
    /// Whether it records only warnings and errors.
    is_quiet: bool,
    /// The maximum level that it reports to `tracing`.
    max_level: Option<LevelFilter>,
    lines: Journal,
    /// The names of the spans that have a parent.
    with_parents: Journal,
    last_span: AtomicU64,
    names: Mutex<Vec<(u64, String)>>,
    entered: Mutex<Vec<u64>>,
}

#[derive(Default)]
struct Fields(String);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {}={value:?}", field.name()).unwrap();
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        // Durations vary between runs.
        if field.name() != "ran" && !field.name().ends_with("took") {
            self.record_debug(field, &value);
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
        if !attributes.is_root() {
            self.with_parents.note(attributes.metadata().name());
        }
        self.names.lock().unwrap().push((id, fields.0));
        span::Id::from_u64(id)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let mut entered = self.entered.lock().unwrap().clone();
        if event.is_root() {
            entered.clear();
        }
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
        r#"ERROR message=shutdown ended manager="orders" cause="task `bad` failed" budget=25.0 failures=1 root="task `bad` failed: no broker" up=0.0 phases="phase WORK 0.0 ms of 19.75 s, work; cleanups 0.0 ms of 25.00 s, close" started=2 completed=1 cancelled=0 failed=1 panicked=0 aborted=0 abandoned=0"#,
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
    assert!(lines.read().last().unwrap().contains(" failures=130 "));
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
        r#"ERROR message=shutdown ended manager="orders" cause="task `bad` failed" budget=25.0 failures=1 root="task `bad` failed: no broker" up=0.0 phases="phase WORK 0.0 ms of 24.75 s, work" started=2 completed=1 cancelled=0 failed=1 panicked=0 aborted=0 abandoned=0"#,
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

/// Invariant 10: a span keeps its parent, and a chain of tasks would keep all of them.
#[tokio::test(start_paused = true)]
async fn the_spans_of_tasks_blocking_tasks_and_cleanups_are_roots() {
    let recorder = Recorder::default();
    let with_parents = recorder.with_parents.clone();
    let (lines, _guard) = record_with(recorder);
    let outside = tracing::info_span!(target: "task", "outside");
    let _entered = outside.enter();
    let manager = Manager::new();
    let handle = manager.handle();
    let first = task_fn("first", async move |_| {
        let enters = task_fn("second", async |ctx: Context| {
            ctx.enter(|| tracing::info!("inside"));
            Ok(())
        });
        handle.run_ephemeral(enters)?;
        Ok(())
    });
    manager.run_ephemeral(first).unwrap();
    manager.cleanup("close", async || Ok(())).unwrap();
    manager.wait().await.unwrap();
    let lines = lines.read();
    assert!(
        lines.iter().any(|line| line.contains(r#"[task name="second" id=2] INFO message=inside"#))
    );
    assert_eq!(with_parents.read(), ["outside"], "the test's own alone, and it has none");
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
    assert_eq!(reminders.len(), 4, "after 5, 10, 15 and 20 s: {reminders:#?}");
    // Until they are aborted.
    assert!(reminders[0].contains("more=6 left=19.75"), "{}", reminders[0]);
    assert!(reminders[1].contains("more=5 left=14.75"), "{}", reminders[1]);
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
    let named = waiting.map(|line| (line.split('"').nth(3).unwrap(), line.split('=').next_back()));
    // Aborted after 14 s and after 15.75 s.
    let left = [("slow", Some("9.0")), ("flush", Some("5.75"))];
    assert_eq!(named.collect::<Vec<_>>(), left);
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
        r#"DEBUG message=task readiness changed manager="manager" task="cache" id=1 ready=true"#,
        r#"DEBUG message=task asked to stop manager="manager" task="cache" id=1"#,
        r#"DEBUG message=task readiness changed manager="manager" task="cache" id=1 ready=false"#,
        r#"ERROR message=task failed and went on manager="manager" task="cache" id=1 error="stale""#,
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
        r#"ERROR message=task failed manager="manager" task="holder" id=1 outcome="abandoned" error="was abandoned with a hold on it still kept (phase WORK had 2.85 s)""#,
        r#"ERROR message=cleanup failed manager="manager" cleanup="close" outcome="failed" error="no such file""#,
        r#"ERROR message=shutdown ended manager="manager" cause="stop was called" budget=4.0 failures=2 root="cleanup `close` failed: no such file" others="task `holder` was abandoned with a hold on it still kept (phase WORK had 2.85 s)" up=0.0 phases="phase WORK 3.00 s of 2.85 s, holder (abandoned); cleanups 0.0 ms of 1.00 s, close (failed)" slow="holder abandoned 3.00 s; close failed 0.0 ms cleanup" started=1 completed=0 cancelled=0 failed=0 panicked=0 aborted=0 abandoned=1"#,
        r#"WARN message=abandoned task ended after all manager="manager" task="holder" id=1 outcome="aborted""#,
        r#"ERROR message=setup failed after the end manager="manager" error="no config""#,
    ];
    assert_eq!(lines.read(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_clean_end_that_nothing_asked_for_is_a_warning_before_the_last_line_if_set() {
    let (lines, _guard) = record_with(Recorder::default());
    let warning = || Manager::builder().unasked_end_warns();
    for builder in [warning(), Manager::builder(), warning().unasked_end_fails()] {
        let manager = builder.build().unwrap();
        manager.run(task_fn("main loop", async |_| Ok(()))).unwrap();
        let _ = manager.wait().await;
    }
    let manager = warning().build().unwrap();
    manager.run(worker("asked")).unwrap().stop();
    manager.wait().await.unwrap();
    let manager = warning().build().unwrap();
    manager.run(task_fn("main loop", async |_| Ok(()))).unwrap();
    manager.cleanup("close", async || Err(anyhow!("no such file"))).unwrap();
    manager.wait().await.unwrap_err();
    let lines = lines.read();
    let warnings: Vec<_> = lines.iter().filter(|line| line.starts_with("WARN")).collect();
    let expected = r#"WARN message=service ended without a stop request manager="manager" cause="task `main loop` completed""#;
    assert_eq!(warnings, [expected], "{lines:#?}");
    let mut lines = lines.iter().skip_while(|line| !line.starts_with("WARN")).skip(1);
    assert!(lines.next().unwrap().starts_with("INFO message=shutdown ended"));
}

/// Every failure that a group can have, with the name that it has in the report. Two groups, since
/// one that fails to start does not fail otherwise.
async fn with_every_failure() -> Vec<Report> {
    let builder = Manager::builder().shutdown_timeout(8 * SECOND).cleanup_timeout(SECOND);
    let manager = builder.unasked_end_fails().build().unwrap();
    let holds = KeptHolds::default();
    let held = holds.clone();
    manager.run(task_fn("aborted", async |_| std::future::pending().await)).unwrap();
    let abandoned = async move |ctx: Context| {
        held.keep(&ctx);
        std::future::pending().await
    };
    manager.run(task_fn("abandoned", abandoned)).unwrap();
    let other = Builder::new_current_thread().enable_all().build().unwrap();
    let entered = other.enter();
    manager.run(unresponsive("runtime gone")).unwrap();
    drop(entered);
    manager.run(task_fn("panic", async |_| panic!("no more"))).unwrap();
    let survived = async |ctx: Context| {
        ctx.record_failure(anyhow!("again"));
        ctx.cancelled().await;
        anyhow::bail!("broken")
    };
    manager.run(task_fn("survived and error", survived)).unwrap();
    let beside = async |ctx: Context| {
        let _panics = PanicsWhenDropped;
        ctx.cancelled().await;
        anyhow::bail!("broken")
    };
    manager.run(task_fn("panic beside an error", beside)).unwrap();
    manager.cleanup("never ends", async || std::future::pending().await).unwrap();
    manager.cleanup("error", async || Err(anyhow!("no such file"))).unwrap();
    manager.cleanup("panic", async || panic!("no more")).unwrap();
    tokio::task::yield_now().await;
    manager.setup_failed(anyhow!("no config"));
    other.shutdown_background();
    let error = manager.wait().await.unwrap_err();
    let slow = Manager::builder().start_timeout(SECOND).build().unwrap();
    slow.run(worker("cache").gating_readiness()).unwrap();
    let start = slow.wait().await.unwrap_err();
    let builder = Manager::builder().cleanup_timeout(Duration::ZERO).unasked_end_fails();
    let unasked = builder.build().unwrap();
    unasked.cleanup("not run", async || Ok(())).unwrap();
    unasked.run(task_fn("unasked", async |_| Ok(()))).unwrap();
    let unasked = unasked.wait().await.unwrap_err();
    drop(holds);
    [error, start, unasked].iter().map(|error| error.report().unwrap().clone()).collect()
}

struct PanicsWhenDropped;

impl Drop for PanicsWhenDropped {
    fn drop(&mut self) {
        panic!("in the drop");
    }
}

/// Invariant 2: `ReportTo::Log` of a service relies on it.
#[tokio::test(start_paused = true)]
async fn every_failure_in_a_report_has_a_log_event_of_its_own_which_is_an_error() {
    let (lines, _guard) = record_with(Recorder { is_quiet: true, ..Recorder::default() });
    let reports = with_every_failure().await;
    let lines = lines.read();
    let mut kinds = BTreeSet::new();
    let mut origins = BTreeSet::new();
    for failure in reports.iter().flat_map(Report::failures) {
        let name = &failure.name;
        let (subject, messages) = match failure.origin {
            FailureOrigin::Task => {
                (format!("task={name:?}"), ["task failed manager", "task failed and went on"])
            }
            FailureOrigin::Cleanup => (format!("cleanup={name:?}"), ["cleanup failed"; 2]),
            FailureOrigin::Setup => (String::new(), ["setup failed"; 2]),
            FailureOrigin::Start => (String::new(), ["start failed"; 2]),
            other => panic!("a new origin: {other:?}"),
        };
        let (kind, error) = match &failure.kind {
            FailureKind::Error(error) => ("error", format!("{error:#}")),
            FailureKind::Survived(error) => ("survived", format!("{error:#}")),
            FailureKind::Panic(panic) => ("panic", panic.to_string()),
            FailureKind::Aborted { .. } => ("aborted", String::from("was aborted")),
            FailureKind::Abandoned { .. } => ("abandoned", String::from("was abandoned")),
            FailureKind::EndedUnasked => ("unasked", String::from("nothing asked it to")),
            FailureKind::RuntimeGone => ("runtime gone", String::from("lost its runtime")),
            FailureKind::NotRun { reason } => ("not run", format!("was not run: {reason}")),
            FailureKind::NotReady { blockers } => ("not ready", blockers.join(", ")),
            other => panic!("a new kind: {other:?}"),
        };
        kinds.insert(kind);
        origins.insert(format!("{:?}", failure.origin));
        let says = |line: &&String| {
            line.starts_with("ERROR")
                && messages.iter().any(|message| line.contains(&format!("message={message}")))
                && line.contains(&subject)
                && line.contains(&error)
        };
        assert_eq!(lines.iter().filter(says).count(), 1, "{failure}: {lines:#?}");
    }
    assert_eq!((kinds.len(), origins.len()), (9, 4), "{kinds:?} {origins:?}");
}

/// Invariant 11. FAILURES 29.
#[tokio::test(start_paused = true)]
async fn a_manager_dropped_without_a_wait_is_an_error_that_names_what_is_alive_and_not_run() {
    let (lines, _guard) = record_with(Recorder { is_quiet: true, ..Recorder::default() });
    let manager = Manager::builder().name("orders").build().unwrap();
    manager.run(unresponsive("stuck")).unwrap();
    manager.run(worker("work")).unwrap();
    manager.cleanup("database", async || Ok(())).unwrap();
    manager.cleanup("exporter", async || Ok(())).unwrap();
    let mut group = manager.group();
    let _ = tokio::time::timeout(SECOND, manager.wait()).await;
    drop(manager);
    let dropped = r#"ERROR message=manager dropped without a wait manager="orders" tasks="stuck, work" more=0 cleanups="exporter, database" more_cleanups=0 failures=0"#;
    assert_eq!(lines.read(), [dropped]);
    while group.step() != task_manager::Step::Ended {
        group.changed().await;
    }
    let ended = r#"ERROR message=shutdown ended manager="orders" cause="the manager was dropped" budget=25.0 failures=1 root="task `stuck` was aborted at its deadline (phase WORK had 19.75 s)" up=1.0 phases="phase WORK 19.75 s of 19.75 s, stuck (aborted); cleanups 0.0 ms of 5.25 s, database" slow="stuck aborted 19.75 s" started=2 completed=1 cancelled=0 failed=0 panicked=0 aborted=1 abandoned=0"#;
    assert_eq!(lines.read().last().unwrap(), ended);
}

/// Invariant 11. FAILURES 29.
#[test]
fn a_manager_dropped_outside_of_any_runtime_names_the_cleanups_that_never_run() {
    let (lines, _guard) = record_with(Recorder { is_quiet: true, ..Recorder::default() });
    let manager = Manager::new();
    manager.cleanup("database", async || Ok(())).unwrap();
    drop(manager);
    let [line] = &*lines.read() else { panic!("{lines:?}", lines = lines.read()) };
    assert!(line.contains(r#"cleanups="database""#), "{line}");
}

#[tokio::test(start_paused = true)]
async fn a_manager_dropped_with_nothing_to_lose_or_while_a_handle_waits_is_no_error() {
    let (lines, _guard) = record_with(Recorder { is_quiet: true, ..Recorder::default() });
    drop(Manager::new());
    let manager = Manager::new();
    manager.run(worker("work")).unwrap();
    let handle = manager.handle();
    let waits = tokio::spawn(async move { handle.wait().await.is_ok() });
    tokio::task::yield_now().await;
    drop(manager);
    assert!(waits.await.unwrap());
    let outer = Manager::new();
    let inner = Manager::new();
    inner.run(worker("work")).unwrap();
    outer.run(inner.into_task()).unwrap();
    tokio::task::yield_now().await;
    outer.shutdown().await.unwrap();
    assert_eq!(lines.read(), [""; 0]);
}
