//! A stop, at each point of the task's life.

use std::{
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
};

use anyhow::bail;
use task_core::{
    Cancelled, Context, Task,
    scope::{Stage, StageCell},
    task_fn,
};
use task_restart::{Restart, restarting};
use tokio::time::sleep;

use crate::rig::{Rig, secs};

#[tokio::test(start_paused = true)]
async fn a_stop_in_the_back_off_ends_the_task_cleanly_at_once() {
    let rig = Rig::new();
    let task = restarting(rig.runs(async |_, _| bail!("no broker"))).unwrap();
    rig.run_for(secs(40), task).await.unwrap();
    assert_eq!(rig.now(), 40_000);
}

#[tokio::test(start_paused = true)]
async fn a_run_sees_drain_and_stop_and_its_end_is_the_tasks() {
    for fails in [false, true] {
        let rig = Rig::new();
        let factory = rig.runs(move |ctx: Context, _| async move {
            ctx.draining().await;
            assert!(!ctx.is_cancelled());
            ctx.cancelled().await;
            if fails { bail!("not flushed") } else { Err(Cancelled.into()) }
        });
        let task = restarting(factory).unwrap().on(Restart::Always);
        let stop = async {
            sleep(secs(1)).await;
            rig.scope.stage.advance(Stage::Draining);
            sleep(secs(1)).await;
            rig.cancel();
        };
        let result = tokio::join!(rig.run(task.boxed()), stop).0;
        let error = result.unwrap_err();
        assert_eq!(Cancelled::is_outermost_in(&error), !fails, "{error}");
        assert_eq!((rig.starts().len(), rig.now()), (1, 2000));
        assert!(rig.reported("count").is_empty());
    }
}

/// The stop reaches a run on the thread that stops the task: no runtime polls anything here.
#[test]
fn a_stop_reaches_the_run_though_nothing_polls_the_task() {
    struct Keep(Arc<std::sync::Mutex<Option<Context>>>);
    impl Task for Keep {
        fn admitted(&mut self, ctx: &Context) {
            *self.0.lock().unwrap() = Some(ctx.clone());
        }
        async fn run(self, _: Context) -> anyhow::Result<()> {
            Ok(())
        }
    }
    let seen = Arc::new(std::sync::Mutex::new(None));
    let kept = seen.clone();
    let mut task = restarting(move || Ok(Keep(kept.clone()))).unwrap();
    let stage = Arc::new(StageCell::new());
    task.admitted(&Context::new(stage.clone()));
    let run = seen.lock().unwrap().take().unwrap();
    assert!(!run.is_draining());
    stage.advance(Stage::Draining);
    assert!(run.is_draining() && !run.is_cancelled());
    stage.advance(Stage::Cancelled);
    assert!(run.is_cancelled());
}

#[tokio::test(start_paused = true)]
async fn runs_go_on_and_begin_while_the_group_drains() {
    let rig = Rig::new();
    let factory = rig.runs(async |ctx: Context, run| {
        if run == 1 {
            ctx.draining().await;
            bail!("connection lost")
        }
        assert!(ctx.is_draining());
        ctx.cancelled().await;
        Ok(())
    });
    let task = restarting(factory).unwrap();
    let stop = async {
        sleep(secs(1)).await;
        rig.scope.stage.advance(Stage::Draining);
        sleep(secs(5)).await;
        rig.cancel();
    };
    tokio::join!(rig.run(task.boxed()), stop).0.unwrap();
    assert_eq!(rig.starts().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_first_run_begins_even_after_the_stop_and_no_other_does() {
    let rig = Rig::new();
    rig.cancel();
    let factory = rig.runs(async |ctx: Context, _| {
        assert!(ctx.is_cancelled());
        bail!("not flushed")
    });
    let error = rig.run(restarting(factory).unwrap()).await.unwrap_err();
    assert_eq!((error.to_string().as_str(), rig.starts().len()), ("not flushed", 1));
}

#[tokio::test(start_paused = true)]
async fn a_stop_while_the_factory_works_begins_no_run() {
    let dropped = Arc::new(AtomicUsize::new(0));
    struct CountDrop(Arc<AtomicUsize>);
    impl Drop for CountDrop {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    for fails in [false, true] {
        let rig = Rig::new();
        let (made, drops) = (rig.clone(), dropped.clone());
        let mut count = 0;
        let factory = move || {
            count += 1;
            let (rig, owned) = (made.clone(), CountDrop(drops.clone()));
            if count == 2 {
                rig.cancel();
                anyhow::ensure!(!fails, "no file");
            }
            Ok(task_fn("worker", async move |_| {
                rig.mark();
                let _owned = owned;
                bail!("no broker")
            }))
        };
        let result = rig.run(restarting(factory).unwrap()).await;
        assert_eq!(result.map_err(|error| error.to_string()).is_err(), fails);
        assert_eq!(rig.starts().len(), 1, "only the first");
    }
    assert_eq!(dropped.load(Ordering::SeqCst), 4);
}

#[tokio::test(start_paused = true)]
async fn a_stop_while_a_run_is_dropped_begins_no_run() {
    struct StopOnDrop(Rig);
    impl Drop for StopOnDrop {
        fn drop(&mut self) {
            self.0.cancel();
        }
    }
    for fails in [true, false] {
        let rig = Rig::new();
        let made = rig.clone();
        // Not in a box: that would drop the future within its own poll.
        let factory = move || {
            let on_drop = StopOnDrop(made.clone());
            let run = move |_| {
                on_drop.0.mark();
                poll_fn(move |_| {
                    let _ = &on_drop;
                    Poll::Ready(if fails { Err(anyhow::anyhow!("no broker")) } else { Ok(()) })
                })
            };
            Ok(task_fn("worker", run))
        };
        let result = rig.run(restarting(factory).unwrap().on(Restart::Always)).await;
        assert_eq!(result.is_err(), fails, "its end is the task's");
        assert_eq!((rig.starts().len(), rig.now()), (1, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_that_is_dropped_cancels_its_run_and_releases_its_holds() {
    let rig = Rig::new();
    let seen = Arc::new(std::sync::Mutex::new(None));
    let kept = seen.clone();
    let factory = rig.runs(move |ctx: Context, _| {
        *kept.lock().unwrap() = Some(ctx);
        std::future::pending()
    });
    let task = restarting(factory).unwrap();
    let handle = task.handle();
    let running = tokio::spawn(task.boxed().run(rig.ctx()));
    sleep(secs(1)).await;
    let ctx = seen.lock().unwrap().take().unwrap();
    ctx.set_ready(true);
    assert!((rig.scope.holds(), rig.is_ready(), handle.is_ended()) == (1, true, false));
    running.abort();
    assert!(running.await.unwrap_err().is_cancelled());
    assert!(ctx.is_cancelled() && !rig.is_ready() && handle.is_ended());
    assert_eq!(rig.scope.holds(), 0);
    assert!(!handle.restart("too late"));
}

#[tokio::test(start_paused = true)]
async fn a_run_knows_how_long_it_has() {
    let rig = Rig::new();
    *rig.scope.remaining.lock().unwrap() = Some(secs(7));
    let factory = rig.runs(async |ctx: Context, run| {
        if run == 1 {
            assert_eq!(ctx.remaining(), Some(secs(7)));
            ctx.cancelled().await;
            assert_eq!(ctx.remaining(), Some(secs(4)), "it alone is asked to end");
            return Err(Cancelled.into());
        }
        assert_eq!(ctx.remaining(), Some(secs(7)));
        Ok(())
    });
    let task = restarting(factory).unwrap().run_timeout(secs(1)).run_stop_timeout(secs(4));
    rig.run(task).await.unwrap();
    assert_eq!(rig.starts().len(), 2);
}

/// In a stop the deadline is the manager's alone.
#[tokio::test(start_paused = true)]
async fn neither_a_run_timeout_nor_a_wanted_restart_cuts_a_run_that_is_being_stopped() {
    let rig = Rig::new();
    let factory = rig.runs(async |ctx: Context, _| {
        ctx.cancelled().await;
        sleep(secs(60)).await; // flushes
        Ok(())
    });
    let task = restarting(factory).unwrap().run_timeout(secs(5)).run_stop_timeout(secs(1));
    let handle = task.handle();
    let ask = async {
        sleep(secs(3)).await;
        handle.restart("in the stop");
    };
    tokio::join!(rig.run_for(secs(2), task), ask).0.unwrap();
    assert_eq!((rig.now(), rig.starts().len()), (62_000, 1));
}
