//! Runs on threads of their own: they never overlap, and are named when they do not return.
//!
//! Threads work in real time, so the clock is not paused here.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::Duration,
};

use task_core::{Context, Outcome};
use task_manager::{FailureKind, Manager};
use task_periodic::{Action, Backoff, LoopTask, OnFailure, PollTask, blocking};
use tokio::time::{Instant, sleep, timeout};

use crate::rig::{Rig, ms};

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(30);

/// Counts the runs that are alive.
#[derive(Clone, Default)]
struct Alive {
    now: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
    runs: Arc<AtomicUsize>,
}

impl Alive {
    fn enter(&self) -> Inside {
        self.runs.fetch_add(1, Ordering::SeqCst);
        self.most.fetch_max(self.now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        Inside(self.now.clone())
    }

    fn runs(&self) -> usize {
        self.runs.load(Ordering::SeqCst)
    }

    async fn until_runs(&self, runs: usize) {
        let reached = async {
            while self.runs() < runs {
                sleep(ms(1)).await;
            }
        };
        timeout(LONG, reached).await.unwrap();
    }
}

struct Inside(Arc<AtomicUsize>);

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Releases threads that block, also when a test fails.
fn gate() -> (Sender<()>, impl FnMut() + Send + 'static) {
    let (open, gate): (Sender<()>, Receiver<()>) = channel();
    (open, move || _ = gate.recv_timeout(LONG))
}

fn quick() -> Backoff {
    Backoff::new(ms(1), ms(1)).unwrap()
}

fn manager(total: Duration) -> Manager {
    Manager::builder().shutdown_timeout(total).cleanup_timeout(ms(10)).build().unwrap()
}

#[tokio::test]
async fn the_run_after_a_timeout_waits_for_the_thread() {
    let (rig, alive) = (Rig::new(), Alive::default());
    let (open, mut pass) = gate();
    let action = blocking({
        let alive = alive.clone();
        move |_| {
            let _inside = alive.enter();
            pass();
            Ok(())
        }
    });
    let task = PollTask::with_action("poll", ms(2), action).unwrap();
    let running = tokio::spawn({
        let rig = rig.clone();
        async move { rig.run(task.run_timeout(ms(5)).backoff(quick())).await }
    });
    let waits = || {
        let text = "1 run, 1 failed; waits for the thread of a run: ";
        rig.statuses().last().is_some_and(|status| status.starts_with(text))
    };
    let waiting = async {
        while !waits() {
            sleep(ms(1)).await;
        }
        // Time for many periods, timeouts and back-offs.
        sleep(ms(200)).await;
    };
    timeout(LONG / 2, waiting).await.unwrap();
    assert!(waits(), "{:?}", rig.statuses());
    assert_eq!(alive.runs(), 1);
    open.send(()).unwrap();
    alive.until_runs(2).await;
    assert_eq!(alive.most.load(Ordering::SeqCst), 1);
    rig.cancel();
    timeout(LONG, running).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn the_closure_keeps_its_state_and_its_errors_and_panics_fail_runs() {
    let rig = Rig::new();
    let mut runs = 0;
    let action = blocking(move |_| {
        runs += 1;
        match runs {
            1 => anyhow::bail!("no disk"),
            2 => panic!("no memory"),
            3 => Ok(()),
            _ => anyhow::bail!("run {runs}"),
        }
    });
    let task = LoopTask::with_action("loop", ms(0), action).unwrap().backoff(quick());
    let error = rig.run(task.on_failure(OnFailure::FailAfter(3))).await.unwrap_err();
    assert_eq!(format!("{error:#}"), "3 runs in a row failed: run 6");
    let statuses = rig.statuses();
    assert!(statuses.iter().any(|status| status.ends_with("last: no disk")), "{statuses:?}");
    assert!(statuses.iter().any(|status| status.contains("panicked: no memory")), "{statuses:?}");
}

/// Invariants 2 and 7.
#[tokio::test]
async fn a_thread_that_does_not_return_is_named_at_the_end() {
    for timed_out in [false, true] {
        let (alive, manager) = (Alive::default(), manager(ms(600)));
        let (open, mut pass) = gate();
        let action = blocking({
            let alive = alive.clone();
            move |_| {
                let _inside = alive.enter();
                pass();
                Ok(())
            }
        });
        let mut task = PollTask::with_action("poll", ms(1), action).unwrap();
        if timed_out {
            task = task.run_timeout(ms(1));
        }
        manager.run(task).unwrap();
        alive.until_runs(1).await;
        sleep(ms(50)).await;
        let error = timeout(LONG, manager.shutdown()).await.unwrap().unwrap_err();
        assert_eq!(error.report().unwrap().tasks()[0].outcome, Outcome::Abandoned, "{timed_out}");
        drop(open);
    }
}

/// Invariant 7.
#[tokio::test]
async fn a_stop_waits_for_the_thread_of_a_run_that_has_timed_out() {
    let (alive, manager) = (Alive::default(), manager(LONG));
    let action = blocking({
        let alive = alive.clone();
        move |ctx: Context| {
            let _inside = alive.enter();
            assert!(ctx.wait_cancelled(LONG));
            thread::sleep(ms(50));
            Ok(())
        }
    });
    let task = PollTask::with_action("poll", ms(1), action).unwrap().run_timeout(ms(1));
    manager.run(task).unwrap();
    alive.until_runs(1).await;
    sleep(ms(50)).await;
    let report = timeout(LONG, manager.shutdown()).await.unwrap().unwrap();
    assert_eq!(alive.now.load(Ordering::SeqCst), 0, "{report}");
    assert_eq!(report.tasks()[0].outcome, Outcome::Completed);
}

#[tokio::test]
async fn a_panic_that_ends_the_task_has_its_place() {
    let manager = manager(LONG);
    let action = blocking(|_| panic!("on purpose"));
    let task = LoopTask::with_action("loop", ms(0), action).unwrap();
    manager.run(task.on_failure(OnFailure::Fail)).unwrap();
    let error = timeout(LONG, manager.wait()).await.unwrap().unwrap_err();
    let FailureKind::Panic(panic) = &error.root().unwrap().kind else { panic!("{error:?}") };
    assert!(panic.message.starts_with("on purpose (at "), "{panic}");
    assert!(panic.message.contains("blocking.rs"), "{panic}");
}

/// Invariant 6.
#[tokio::test]
async fn a_blocking_run_that_waits_for_its_group_is_refused() {
    let manager = Arc::new(manager(LONG));
    let refused = Arc::new(AtomicBool::new(false));
    let runtime = tokio::runtime::Handle::current();
    let action = blocking({
        let (manager, refused) = (manager.clone(), refused.clone());
        move |ctx: Context| {
            let waited = runtime.block_on(manager.wait());
            refused.store(waited.is_err_and(|error| error.is_inside()), Ordering::SeqCst);
            ctx.request_stop("done");
            Ok(())
        }
    });
    manager.run(LoopTask::with_action("loop", LONG, action).unwrap()).unwrap();
    timeout(LONG, manager.wait()).await.unwrap().unwrap();
    assert!(refused.load(Ordering::SeqCst));
}

#[tokio::test]
async fn a_last_run_waits_for_the_thread_too() {
    let (rig, alive) = (Rig::new(), Alive::default());
    let action = blocking({
        let alive = alive.clone();
        move |ctx: Context| {
            let _inside = alive.enter();
            if alive.runs() == 1 {
                assert!(ctx.wait_cancelled(LONG));
                thread::sleep(ms(50));
            }
            Ok(())
        }
    });
    let task = PollTask::with_action("poll", ms(1), action).unwrap();
    let task = task.run_timeout(ms(20)).run_at_stop();
    rig.run_for(ms(100), task).await.unwrap();
    assert_eq!((alive.runs(), alive.most.load(Ordering::SeqCst)), (2, 1));
}

#[tokio::test]
async fn a_task_that_is_dropped_leaves_the_closure_to_the_thread() {
    let (alive, (open, mut pass)) = (Alive::default(), gate());
    let (kept, gone) = channel::<()>();
    let mut action = blocking({
        let alive = alive.clone();
        move |_| {
            let (_kept, _inside) = (&kept, alive.enter());
            pass();
            anyhow::bail!("too late")
        }
    });
    let rig = Rig::new();
    drop(timeout(ms(20), action.run(rig.ctx())).await);
    drop(action);
    assert!(
        gone.try_recv().is_err_and(|error| error != std::sync::mpsc::TryRecvError::Disconnected)
    );
    let dropped = Instant::now();
    drop(open);
    let gone = tokio::task::spawn_blocking(move || gone.recv_timeout(LONG));
    assert_eq!(gone.await.unwrap(), Err(std::sync::mpsc::RecvTimeoutError::Disconnected));
    assert!(dropped.elapsed() < LONG);
}
