//! Children that block their thread: what the report of the task says. In real time.

use std::{
    sync::mpsc::{Receiver, channel},
    thread,
    time::Duration,
};

use task_children::Children;
use task_core::{Context, Outcome};
use task_manager::{Manager, ManagerHandle, Report, task_fn};
use tokio::{
    runtime::{Builder, Runtime},
    time::sleep,
};

/// Blocks until the sender is dropped.
fn block(until: &Receiver<()>) {
    let _ = until.recv();
}

/// Waits for the report on a runtime of its own, since the other is blocked.
fn report_of(handle: ManagerHandle) -> Report {
    let runtime = Builder::new_current_thread().build().unwrap();
    let error = runtime.block_on(handle.wait()).unwrap_err();
    error.report().unwrap().clone()
}

/// Runs a server of which one child of twelve blocks, and returns the report.
fn with_a_blocked_child(runtime: &Runtime, leaves: bool) -> Report {
    let (release, blocked) = channel();
    let (ready, is_blocked) = channel();
    let handle = runtime.block_on(async {
        let manager = Manager::builder().shutdown_timeout(Duration::from_secs(2)).build().unwrap();
        let server = async move |ctx: Context| {
            ctx.set_status("serving");
            let children = Children::new(&ctx, 20)?;
            let serve = async |children: &Children| {
                for number in 0..11 {
                    let deaf = async |_: Context| std::future::pending().await;
                    children.spawn(format!("deaf {number}"), deaf).await?;
                }
                let stuck = async move |ctx: Context| {
                    ctx.set_status("writing part 7");
                    let _ = ready.send(());
                    block(&blocked);
                    Ok(())
                };
                children.spawn("connection 12", stuck).await?;
                ctx.cancelled().await;
                if leaves {
                    anyhow::bail!("the listener is gone");
                }
                Ok(())
            };
            children.scope(serve).await
        };
        manager.run(task_fn("server", server)).unwrap();
        let handle = manager.handle();
        tokio::spawn(async move { manager.wait().await.map(|_| ()) });
        handle
    });
    // A runtime of the current thread runs only while something blocks on it.
    thread::scope(|scope| {
        scope.spawn(|| runtime.block_on(async { sleep(Duration::from_millis(100)).await }));
        is_blocked.recv().unwrap();
        handle.stop();
        let report = report_of(handle);
        drop(release);
        report
    })
}

/// Invariant 7.
#[test]
fn a_blocked_child_is_named_with_its_task_that_is_abandoned() {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
    let report = with_a_blocked_child(&runtime, false);
    assert_eq!(report.tasks()[0].outcome, Outcome::Abandoned);
    let text = report.root_text();
    assert!(text.contains("was abandoned"), "{text}");
    assert!(
        text.ends_with("; serving; 1 child is alive: connection 12 (writing part 7))"),
        "{text}"
    );
}

/// Invariant 7.
#[test]
fn a_blocked_child_is_named_where_the_future_of_the_task_is_over() {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
    let report = with_a_blocked_child(&runtime, true);
    let texts: Vec<_> = report.failures().iter().map(ToString::to_string).collect();
    assert_eq!(texts[0], "task `server` failed: the listener is gone");
    let is_named = |text: &String| text.contains("1 child is alive: connection 12");
    assert!(texts.iter().any(is_named), "{texts:?}");
}

/// Invariant 7.
#[test]
fn on_one_thread_the_children_that_cannot_be_dropped_are_named_by_age() {
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    let report = with_a_blocked_child(&runtime, false);
    let text = report.root_text();
    assert!(text.contains("; serving; 12 children are alive: deaf 0, deaf 1, "), "{text}");
    assert!(text.ends_with("deaf 7 and 4 more)"), "{text}");
}

trait RootText {
    fn root_text(&self) -> String;
}

impl RootText for Report {
    fn root_text(&self) -> String {
        self.failures()[0].to_string()
    }
}
