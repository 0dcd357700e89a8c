//! Groups nested in each other, up to the limit of 100 levels.

use anyhow::anyhow;
use task_manager::{Context, Escalation, Manager, Step, Task, task_fn};

use crate::{
    nesting::named,
    support::{Journal, KeptHolds, SECOND, unresponsive, worker},
};

/// Nests a group in this many outer groups.
fn levels(count: usize, mut manager: Manager) -> Manager {
    for _ in 0..count {
        let outer =
            Manager::builder().name("level").shutdown_timeout(100 * SECOND).build().unwrap();
        outer.run(manager.into_task()).unwrap();
        manager = outer;
    }
    manager
}

/// Runs `body` on a thread with an eighth of the default stack.
fn on_a_small_stack<Fut: Future<Output = ()>>(body: impl FnOnce() -> Fut + Send + 'static) {
    let run = move || {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_all().start_paused(true).build().unwrap().block_on(body());
    };
    std::thread::Builder::new().stack_size(256 * 1024).spawn(run).unwrap().join().unwrap();
}

/// Invariant 2. FAILURES 38.
#[test]
fn a_failure_99_levels_down_is_reported_once_with_its_full_path() {
    on_a_small_stack(async || {
        let innermost = named("innermost");
        let bad = async |ctx: Context| {
            ctx.or_cancelled(tokio::time::sleep(SECOND)).await?;
            Err(anyhow!("no"))
        };
        innermost.run(task_fn("bad", bad)).unwrap();
        let error = levels(99, innermost).wait().await.unwrap_err();
        let report = error.report().unwrap();
        let name = format!("{}innermost/bad", "level/".repeat(98));
        assert_eq!(report.failures().len(), 1);
        assert_eq!(report.failures()[0].name, name);
    });
}

/// A task that has not ended before its hold is released.
fn held(kept: &KeptHolds) -> impl Task + use<> {
    let kept = kept.clone();
    task_fn("held", async move |ctx: Context| {
        kept.keep(&ctx);
        std::future::pending().await
    })
}

/// Invariant 7. FAILURES 38.
#[tokio::test(start_paused = true)]
async fn a_task_abandoned_many_levels_down_is_named_once_with_its_full_path() {
    let kept = KeptHolds::default();
    let innermost = named("innermost");
    innermost.run(held(&kept)).unwrap();
    innermost.run(worker("other")).unwrap();
    let manager = levels(8, innermost);
    tokio::time::sleep(SECOND).await;
    let error = manager.shutdown().await.unwrap_err();
    let report = error.report().unwrap();
    let names: Vec<_> = report.failures().iter().map(|failure| &*failure.name).collect();
    assert_eq!(names, [format!("{}innermost/held", "level/".repeat(7))]);
}

/// Invariant 3. FAILURES 38.
#[test]
fn a_hundred_levels_with_an_abandoned_task_still_end() {
    on_a_small_stack(async || {
        let kept = KeptHolds::default();
        let innermost = named("innermost");
        innermost.run(held(&kept)).unwrap();
        let manager = levels(99, innermost);
        tokio::time::sleep(SECOND).await;
        let began = tokio::time::Instant::now();
        let error = manager.shutdown().await.unwrap_err();
        assert!(began.elapsed() <= 100 * SECOND);
        let report = error.report().unwrap();
        // Most levels are so deep that no time is left for them.
        assert!(report.failures().iter().all(|failure| failure.name.starts_with("level")));
        assert!(report.failures().len() <= 128, "{}", report.failures().len());
    });
}

/// FAILURES 38.
#[test]
fn an_abort_escalation_reaches_99_levels_down_and_every_level_ends() {
    for count in [6, 99] {
        on_a_small_stack(async move || {
            let innermost = named("innermost");
            innermost.run(unresponsive("unresponsive")).unwrap();
            let manager = levels(count, innermost);
            let escalating = async |ctx: Context| {
                ctx.or_cancelled(tokio::time::sleep(SECOND)).await?;
                ctx.escalate(Escalation::Abort);
                ctx.cancelled().await;
                Ok(())
            };
            manager.run(task_fn("signals", escalating)).unwrap();
            let began = tokio::time::Instant::now();
            let error = manager.wait().await.unwrap_err();
            assert!(began.elapsed() < 2 * SECOND, "{:?}", began.elapsed());
            let report = error.report().unwrap();
            let name = format!("{}innermost/unresponsive", "level/".repeat(count - 1));
            let is_named = report.failures().iter().any(|failure| failure.name == name);
            assert!(is_named || count > 6, "{report}");
        });
    }
}

/// FAILURES 38.
#[tokio::test(start_paused = true)]
async fn a_hundred_levels_end_cleanly() {
    let mut manager = named("innermost");
    manager.run(worker("work")).unwrap();
    for _ in 0..99 {
        let outer = named("level");
        outer.run(manager.into_task()).unwrap();
        manager = outer;
    }
    tokio::time::sleep(SECOND).await;
    let report = manager.shutdown().await.unwrap();
    assert_eq!(report.totals().completed, 1);
}

/// FAILURES 38.
#[tokio::test(start_paused = true)]
async fn nesting_beyond_a_hundred_levels_is_an_error_that_names_the_limit() {
    let innermost = named("innermost");
    innermost.run(worker("work")).unwrap();
    let manager = levels(100, innermost);
    let error = manager.wait().await.unwrap_err();
    let text = format!("{:#}", anyhow!(error));
    assert!(text.contains("over 100 levels deep"), "{text}");
}

/// The drop of the runtime drops the futures of all levels before the innermost task has ended. The
/// end of that task then ends all levels by nested calls, on the stack of the thread that drops the
/// last hold.
#[test]
fn the_end_of_a_hundred_levels_whose_runtime_is_gone_fits_a_small_stack() {
    let (kept, journal) = (KeptHolds::default(), Journal::default());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let innermost = runtime.block_on(async { named("innermost") });
    let handle = innermost.handle();
    let entered = runtime.enter();
    innermost.run(held(&kept)).unwrap();
    let manager = levels(99, innermost);
    drop(entered);
    runtime.block_on(async { tokio::time::sleep(SECOND / 20).await });
    drop(runtime);
    assert!(handle.group().is_some());
    let noted = journal.clone();
    let release = move || {
        kept.release();
        noted.note("released");
    };
    std::thread::Builder::new().stack_size(512 * 1024).spawn(release).unwrap().join().unwrap();
    assert_eq!(journal.read(), ["released"]);
    // Another thread may be at it: that of the deadlines, or the one that dropped the runtime.
    let begun = std::time::Instant::now();
    while manager.group().step() != Step::Ended {
        assert!(begun.elapsed() < 30 * SECOND, "{:?}", manager.group().step());
        std::thread::sleep(SECOND / 1_000);
    }
}
