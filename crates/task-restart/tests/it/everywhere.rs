//! A stop, and an abort, at each await of a restarted task: in its runs, and between them.

use std::{
    panic::resume_unwind,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use anyhow::bail;
use task_core::{Context, Task, task_fn};
use task_restart::{Restart, restarting};
use task_testkit::{cancel_everywhere, drop_everywhere};
use tokio::time::sleep;

use crate::rig::{ms, secs};

/// What the runs have taken and done, and how many of them are alive, with what holds them.
#[derive(Clone, Default)]
struct World {
    runs: Arc<AtomicUsize>,
    taken: Arc<AtomicUsize>,
    done: Arc<AtomicUsize>,
    alive: Arc<AtomicUsize>,
    most_alive: Arc<AtomicUsize>,
}

struct Alive(World);

impl World {
    fn alive(&self) -> Arc<Alive> {
        self.most_alive.fetch_max(self.alive.fetch_add(1, SeqCst) + 1, SeqCst);
        Arc::new(Alive(self.clone()))
    }

    /// A run takes an order and does it. The first then fails, the second panics, the third has to
    /// be asked to end, and takes its time; and so on. A helper holds each longer than that.
    async fn run(self, ctx: Context) -> anyhow::Result<()> {
        let number = self.runs.fetch_add(1, SeqCst);
        let alive = self.alive();
        let (helped, hold) = (ctx.clone(), ctx.hold());
        tokio::spawn({
            let alive = alive.clone();
            async move {
                helped.cancelled().await;
                sleep(ms(230)).await;
                drop((alive, hold));
            }
        });
        ctx.or_cancelled(sleep(ms(100))).await?; // an order arrives
        self.taken.fetch_add(1, SeqCst);
        sleep(ms(300)).await;
        self.done.fetch_add(1, SeqCst);
        drop(alive);
        match number % 3 {
            // In a stop, an end of the run is that of the task.
            _ if ctx.is_cancelled() => Ok(()),
            0 => bail!("no broker"),
            1 => resume_unwind(Box::new("no backtrace")),
            _ => {
                ctx.cancelled().await;
                sleep(ms(200)).await;
                Ok(())
            }
        }
    }

    /// The task, which a handle also restarts: in a wait, and in its third run.
    fn task(&self) -> impl Task + use<> {
        let world = self.clone();
        let task = restarting(move || {
            let world = world.clone();
            Ok(task_fn("worker", move |ctx| world.run(ctx)))
        });
        let task = task.unwrap().on(Restart::Always).run_timeout(secs(2)).seed(7);
        let handle = task.handle();
        tokio::spawn(async move {
            for _ in 0..2 {
                sleep(ms(1750)).await;
                handle.restart("a new certificate");
            }
        });
        task
    }

    /// Asserts that no run is left and none was beside another; returns how many orders are lost.
    fn lost(&self) -> usize {
        assert_eq!(self.alive.load(SeqCst), 0, "runs are alive");
        assert!(self.most_alive.load(SeqCst) <= 1, "runs were beside each other");
        self.taken.load(SeqCst) - self.done.load(SeqCst)
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.alive.fetch_sub(1, SeqCst);
    }
}

async fn build() -> (World, impl Task) {
    let world = World::default();
    let task = world.task();
    (world, task)
}

#[test]
fn a_stop_at_any_await_lets_the_run_finish_and_begins_no_other() {
    let sweep = cancel_everywhere(build)
        // The work of a run, and its helper.
        .ends_within(ms(350))
        .lives_for(secs(30))
        .check(async |world| {
            assert_eq!(world.lost(), 0, "orders are lost");
            let runs = world.runs.load(SeqCst);
            sleep(secs(100)).await;
            assert_eq!(world.runs.load(SeqCst), runs, "runs after the end");
        });
    assert!(sweep.points() > 20 && sweep.is_deterministic(), "{sweep}");
}

#[test]
fn an_abort_at_any_await_drops_the_run_with_the_task_and_begins_no_other() {
    let sweep = drop_everywhere(build).lives_for(secs(30)).check(async |world| {
        assert!(world.lost() <= 1, "orders are lost");
        let runs = world.runs.load(SeqCst);
        sleep(secs(100)).await;
        assert_eq!(world.runs.load(SeqCst), runs, "runs after the end");
    });
    assert!(sweep.points() > 20 && sweep.is_deterministic(), "{sweep}");
}
