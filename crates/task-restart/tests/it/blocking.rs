//! Threads: two runs are never alive together.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc::channel,
    },
    thread,
    time::Duration,
};

use anyhow::bail;
use task_core::{Backoff, Context, Task, blocking_task};
use task_restart::{RunStillHeld, restarting};
use tokio::time::sleep;

use crate::rig::{Rig, ms, secs};

/// On the real clock, and so with waits that are short.
fn short() -> Backoff {
    Backoff::new(ms(2), ms(2)).unwrap()
}

#[derive(Clone, Default)]
struct Alive(Arc<[AtomicUsize; 2]>);

impl Alive {
    fn enter(&self) -> Self {
        let alive = 1 + self.0[0].fetch_add(1, Ordering::SeqCst);
        self.0[1].fetch_max(alive, Ordering::SeqCst);
        self.clone()
    }

    fn most(&self) -> usize {
        self.0[1].load(Ordering::SeqCst)
    }
}

struct Leave(Alive);

impl Drop for Leave {
    fn drop(&mut self) {
        self.0.0[0].fetch_sub(1, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn a_thread_that_does_not_end_ends_the_task_rather_than_run_beside_the_next() {
    let rig = Rig::new();
    let (open, gate) = channel::<()>();
    let gate = Arc::new(Mutex::new(gate));
    let marks = rig.clone();
    let factory = move || {
        let (rig, gate) = (marks.clone(), gate.clone());
        Ok(blocking_task("worker", move |_| {
            rig.mark();
            let _ = gate.lock().unwrap().recv_timeout(secs(50));
            Ok(())
        }))
    };
    let task = restarting(factory).unwrap().run_timeout(ms(5)).run_stop_timeout(ms(10));
    let error = rig.run(task.boxed()).await.unwrap_err();
    let held = error.downcast_ref::<RunStillHeld>().unwrap();
    assert_eq!((held.run(), held.waited()), (1, ms(10)));
    let text = "run 1 still holds a thread 10ms after it ended: run took longer than 5ms";
    assert_eq!(error.to_string(), text);
    assert!(rig.scope.holds() > 0, "the outer task has not ended before the thread has");
    open.send(()).unwrap();
    while rig.scope.holds() > 0 {
        sleep(ms(1)).await;
    }
    // The thread may begin after its run has ended.
    assert_eq!(rig.starts().len(), 1);
}

#[tokio::test]
async fn blocking_runs_never_overlap_though_they_time_out_and_are_restarted() {
    let (rig, alive) = (Rig::new(), Alive::default());
    let factory = {
        let (rig, alive) = (rig.clone(), alive.clone());
        move || {
            let (rig, alive) = (rig.clone(), alive.clone());
            Ok(blocking_task("worker", move |ctx: Context| {
                let run = rig.mark();
                let _alive = Leave(alive.enter());
                ctx.wait_cancelled(secs(30));
                thread::sleep(ms(5));
                if run < 6 { bail!("no broker") } else { Ok(()) }
            }))
        }
    };
    let task = restarting(factory).unwrap().backoff(short());
    let handle = task.handle();
    let task = task.run_timeout(ms(5)).run_stop_timeout(secs(10));
    let running = tokio::spawn({
        let rig = rig.clone();
        async move { rig.run(task.boxed()).await }
    });
    while rig.starts().len() < 8 {
        sleep(ms(3)).await;
        handle.restart("again");
    }
    rig.cancel();
    running.await.unwrap().unwrap();
    assert_eq!(alive.most(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_next_run_waits_for_the_last_hold_which_is_asked_to_end() {
    let rig = Rig::new();
    let released = Arc::new(Mutex::new(0));
    let seen = released.clone();
    let clock = rig.clone();
    let factory = rig.runs(move |ctx: Context, run| {
        let (seen, clock) = (seen.clone(), clock.clone());
        async move {
            if run == 2 {
                return Ok(());
            }
            let (hold, helper) = (ctx.hold(), ctx.clone());
            tokio::spawn(async move {
                helper.cancelled().await;
                sleep(secs(7)).await;
                *seen.lock().unwrap() = clock.now();
                drop(hold);
            });
            bail!("no broker")
        }
    });
    rig.run(restarting(factory).unwrap()).await.unwrap();
    assert_eq!((rig.starts(), *released.lock().unwrap()), (vec![0, 7000], 7000));
}

#[tokio::test(start_paused = true)]
async fn the_error_of_a_run_that_is_still_held_has_its_number() {
    let rig = Rig::new();
    let kept = Arc::new(Mutex::new(None));
    let keep = kept.clone();
    let factory = rig.runs(move |ctx: Context, run| {
        *keep.lock().unwrap() = (run == 2).then(|| ctx.hold());
        async { bail!("no broker") }
    });
    let task = restarting(factory).unwrap().run_stop_timeout(secs(3));
    let error = rig.run(task).await.unwrap_err();
    let held = error.downcast_ref::<RunStillHeld>().unwrap();
    assert_eq!((held.run(), held.waited()), (2, secs(3)));
    drop(kept.lock().unwrap().take());
}

#[tokio::test(start_paused = true)]
async fn a_stop_while_a_hold_is_waited_for_is_a_clean_end() {
    let rig = Rig::new();
    let kept = Arc::new(Mutex::new(None));
    let keep = kept.clone();
    let factory = rig.runs(move |ctx: Context, _| {
        *keep.lock().unwrap() = Some(ctx.hold());
        async { bail!("no broker") }
    });
    rig.run_for(secs(2), restarting(factory).unwrap()).await.unwrap();
    assert_eq!((rig.now(), rig.scope.holds()), (2000, 1), "the outer task waits for the hold");
    drop(kept.lock().unwrap().take());
    assert_eq!(rig.scope.holds(), 0);
}

#[tokio::test]
async fn a_thread_whose_runtime_is_blocked_sees_the_stop() {
    let rig = Rig::new();
    let (seen, has_seen) = channel();
    let factory = move || {
        let seen = seen.clone();
        Ok(blocking_task("worker", move |ctx: Context| {
            seen.send("begun").unwrap();
            if ctx.wait_cancelled(secs(30)) {
                seen.send("stopped").unwrap();
            }
            Ok(())
        }))
    };
    let running = tokio::spawn(restarting(factory).unwrap().boxed().run(rig.ctx()));
    tokio::task::yield_now().await;
    // This thread is the runtime's only one, and does not poll the task until the end.
    let wait = Duration::from_secs(20);
    assert_eq!(has_seen.recv_timeout(wait), Ok("begun"));
    rig.cancel();
    assert_eq!(has_seen.recv_timeout(wait), Ok("stopped"));
    running.await.unwrap().unwrap();
}
