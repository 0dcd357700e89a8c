//! Groups inside groups inside groups: the depth costs no stack, and no name.

use anyhow::anyhow;
use task_manager::{Context, Escalation, Manager, Task, task_fn};

use crate::{
    nesting::named,
    support::{Kept, SECOND, deaf, worker},
};

/// So many groups inside each other, around this one.
fn levels(count: usize, mut manager: Manager) -> Manager {
    for _ in 0..count {
        let outer =
            Manager::builder().name("level").shutdown_timeout(100 * SECOND).build().unwrap();
        outer.run(manager.into_task()).unwrap();
        manager = outer;
    }
    manager
}

/// On a thread with an eighth of the usual stack.
fn on_a_small_stack<Fut: Future<Output = ()>>(body: impl FnOnce() -> Fut + Send + 'static) {
    let run = move || {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_all().start_paused(true).build().unwrap().block_on(body());
    };
    std::thread::Builder::new().stack_size(256 * 1024).spawn(run).unwrap().join().unwrap();
}

#[test]
fn a_failure_a_thousand_levels_down_surfaces_once_with_its_whole_path() {
    on_a_small_stack(async || {
        let innermost = named("innermost");
        let bad = async |ctx: Context| {
            ctx.or_cancelled(tokio::time::sleep(SECOND)).await?;
            Err(anyhow!("no"))
        };
        innermost.run(task_fn("bad", bad)).unwrap();
        let error = levels(1_000, innermost).wait().await.unwrap_err();
        let report = error.report().unwrap();
        let name = format!("{}innermost/bad", "level/".repeat(999));
        assert_eq!(report.failures().len(), 1);
        assert_eq!(report.failures()[0].name, name);
    });
}

/// A task that nobody can drop.
fn held(kept: &Kept) -> impl Task + use<> {
    let kept = kept.clone();
    task_fn("held", async move |ctx: Context| {
        kept.keep(&ctx);
        std::future::pending().await
    })
}

#[tokio::test(start_paused = true)]
async fn who_is_given_up_many_levels_down_is_named_once_with_the_whole_path() {
    let kept = Kept::default();
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

#[test]
fn a_thousand_levels_that_are_given_up_end_all_the_same() {
    on_a_small_stack(async || {
        let kept = Kept::default();
        let innermost = named("innermost");
        innermost.run(held(&kept)).unwrap();
        let manager = levels(1_000, innermost);
        tokio::time::sleep(SECOND).await;
        let began = tokio::time::Instant::now();
        let error = manager.shutdown().await.unwrap_err();
        assert!(began.elapsed() <= 100 * SECOND);
        let report = error.report().unwrap();
        // Most of them are so deep that no time is left for them.
        assert!(report.failures().iter().all(|failure| failure.name.starts_with("level")));
        assert!(report.failures().len() <= 128, "{}", report.failures().len());
    });
}

#[test]
fn an_abort_goes_a_thousand_levels_down_and_the_ends_come_all_the_way_up() {
    for count in [6, 1_000] {
        on_a_small_stack(async move || {
            let innermost = named("innermost");
            innermost.run(deaf("deaf")).unwrap();
            let manager = levels(count, innermost);
            let hurried = async |ctx: Context| {
                ctx.or_cancelled(tokio::time::sleep(SECOND)).await?;
                ctx.escalate(Escalation::Abort);
                ctx.cancelled().await;
                Ok(())
            };
            manager.run(task_fn("signals", hurried)).unwrap();
            let began = tokio::time::Instant::now();
            let error = manager.wait().await.unwrap_err();
            assert!(began.elapsed() < 2 * SECOND, "{:?}", began.elapsed());
            let report = error.report().unwrap();
            let name = format!("{}innermost/deaf", "level/".repeat(count - 1));
            let is_named = report.failures().iter().any(|failure| failure.name == name);
            assert!(is_named || count > 6, "{report}");
        });
    }
}

#[tokio::test(start_paused = true)]
async fn a_thousand_levels_end_cleanly() {
    let mut manager = named("innermost");
    manager.run(worker("work")).unwrap();
    for _ in 0..1_000 {
        let outer = named("level");
        outer.run(manager.into_task()).unwrap();
        manager = outer;
    }
    tokio::time::sleep(SECOND).await;
    let report = manager.shutdown().await.unwrap();
    assert_eq!(report.totals().completed, 1);
}
