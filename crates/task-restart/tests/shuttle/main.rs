//! Stop, failure, wanted restart and drop under thousands of schedules: random ones, and those of
//! PCT, which finds bugs of few preemptions. Every wait may end at any moment (`rt.rs`).
//!
//! `SHUTTLE_SCHEDULES` sets the number of each kind, 2,000 by default. A failure prints its
//! schedule, for `shuttle::replay`.
#![cfg(task_shuttle)]
#![allow(clippy::unwrap_used)]

use std::{
    borrow::Cow,
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::Arc,
    task::Poll,
    time::Duration,
};

use anyhow::bail;
use shuttle::{
    Config, MaxSteps, Runner, future,
    rand::{Rng, thread_rng},
    scheduler::{PctScheduler, RandomScheduler},
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};
use task_core::{
    Context, Hold, Task,
    scope::{Scope, Stage, StageCell},
    task_fn,
};
use task_restart::{FailureLimit, RestartHandle, restarting};

/// The number of preemptions that PCT looks for.
const DEPTH: usize = 3;

/// Runs `body` under many schedules. In one that does not end, a waiter was left asleep.
fn explore(body: fn()) {
    let schedules = std::env::var("SHUTTLE_SCHEDULES").ok().and_then(|text| text.parse().ok());
    let schedules = schedules.unwrap_or(2_000);
    let mut config = Config::new();
    config.max_steps = MaxSteps::FailAfter(100_000);
    Runner::new(RandomScheduler::new(schedules), config.clone()).run(body);
    Runner::new(PctScheduler::new(DEPTH, schedules), config).run(body);
}

/// What a manager sees of the task, and what the runs see of each other.
#[derive(Default)]
struct World {
    stage: StageCell,
    is_ready: AtomicBool,
    holds: AtomicUsize,
    /// Runs and threads of runs that are alive.
    alive: AtomicUsize,
    runs: AtomicUsize,
    status: Mutex<Cow<'static, str>>,
    /// The stop has returned.
    is_stopped: AtomicBool,
    /// How many runs had begun when it had.
    runs_at_stop: AtomicUsize,
    /// What a run found wrong. A panic of a run is only a failed run.
    wrong: Mutex<Vec<&'static str>>,
}

impl Scope for World {
    fn stage(&self) -> &StageCell {
        &self.stage
    }

    fn set_ready(&self, ready: bool) {
        self.is_ready.store(ready, Ordering::SeqCst);
    }

    fn set_status(&self, status: Cow<'static, str>) {
        *self.status.lock().unwrap() = status;
    }

    fn add_hold(&self) {
        self.holds.fetch_add(1, Ordering::SeqCst);
    }

    fn release_hold(self: Arc<Self>) {
        self.holds.fetch_sub(1, Ordering::SeqCst);
    }
}

impl World {
    /// Stops the task, as a manager does.
    fn stop(&self) {
        self.stage.advance(Stage::Draining);
        self.stage.advance(Stage::Cancelled);
        self.runs_at_stop.store(self.runs.load(Ordering::SeqCst), Ordering::SeqCst);
        self.is_stopped.store(true, Ordering::SeqCst);
    }

    fn check(&self, holds: bool, what: &'static str) {
        if !holds {
            self.wrong.lock().unwrap().push(what);
        }
    }

    /// Begins a run. Returns its number.
    fn begin(self: &Arc<Self>) -> (usize, Alive) {
        let run = 1 + self.runs.fetch_add(1, Ordering::SeqCst);
        (run, Alive::new(self))
    }
}

/// A run, or a thread of one, which must be alone.
struct Alive(Arc<World>);

impl Alive {
    fn new(world: &Arc<World>) -> Self {
        let before = world.alive.fetch_add(1, Ordering::SeqCst);
        world.check(before == 0, "two runs are alive");
        Self(Arc::clone(world))
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.alive.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Keeps its run alive on a thread of its own until the run is cancelled. Its end is the run's.
fn hold_on_thread(ctx: &Context, alive: Alive) {
    let (hold, helper): (Hold, Context) = (ctx.hold(), ctx.clone());
    thread::spawn(move || {
        while !helper.is_cancelled() {
            thread::yield_now();
        }
        helper.set_ready(true); // late, if the run is over
        drop(alive);
        drop(hold);
    });
}

/// A task of which each run does one of these: fails, panics, waits for a stop, is held by a
/// thread.
fn task(world: &Arc<World>) -> (impl Task + use<>, RestartHandle) {
    let world = Arc::clone(world);
    let task = restarting(move || {
        let world = Arc::clone(&world);
        Ok(task_fn("worker", async move |ctx: Context| {
            let knows = world.is_stopped.load(Ordering::SeqCst);
            let (run, alive) = world.begin();
            world.check(ctx.is_cancelled() || !knows, "a run does not know of the stop before it");
            ctx.set_ready(true);
            match run % 4 {
                1 => {
                    hold_on_thread(&ctx, alive);
                    bail!("no broker")
                }
                2 => resume_unwind(Box::new("boom")), // without the hook, which is shuttle's
                3 => {
                    hold_on_thread(&ctx, alive);
                    ctx.cancelled().await;
                    Ok(())
                }
                _ => {
                    ctx.cancelled().await;
                    drop(alive);
                    bail!("not flushed")
                }
            }
        }))
    });
    let task = task
        .unwrap()
        .limit(FailureLimit::NONE)
        .run_timeout(Duration::from_secs(3600))
        .run_stop_timeout(Duration::from_secs(100 * 366 * 24 * 3600));
    let handle = task.handle();
    (task, handle)
}

/// What holds at the end of every life: nothing is alive or ready, and after the stop no run began
/// that did not know of it.
fn check_end(world: &World, handle: &RestartHandle) {
    // A thread that outlived its run in the eyes of the clock is waited for, as a manager would.
    world.stop();
    while world.holds.load(Ordering::SeqCst) > 0 {
        thread::yield_now();
    }
    assert_eq!(*world.wrong.lock().unwrap(), Vec::<&str>::new());
    assert_eq!(world.alive.load(Ordering::SeqCst), 0);
    assert!(!world.is_ready.load(Ordering::SeqCst), "a run that is over has no say");
    assert!(handle.is_ended() && !handle.restart("too late"));
}

/// Runs the task to its end, which may be a panic.
fn run(task: impl Task, world: &Arc<World>) -> Option<anyhow::Result<()>> {
    let ctx = Context::new(Arc::clone(world) as Arc<dyn Scope>);
    catch_unwind(AssertUnwindSafe(|| future::block_on(task.run(ctx)))).ok()
}

#[test]
fn a_stop_beside_failures_and_wanted_restarts_is_the_end_and_no_two_runs_are_alive() {
    explore(|| {
        let world = Arc::new(World::default());
        let (task, handle) = task(&world);
        let stopper = thread::spawn({
            let world = Arc::clone(&world);
            move || world.stop()
        });
        let asker = thread::spawn({
            let handle = handle.clone();
            move || {
                handle.restart("one");
                handle.restart("other");
            }
        });
        run(task, &world);
        stopper.join().unwrap();
        asker.join().unwrap();
        let (runs, at_stop) = (&world.runs, &world.runs_at_stop);
        assert!(runs.load(Ordering::SeqCst) <= 1 + at_stop.load(Ordering::SeqCst));
        check_end(&world, &handle);
    });
}

/// The run has no other end than the stop, which reaches whichever run there is then.
#[test]
fn a_stop_reaches_the_run_whenever_that_begins() {
    explore(|| {
        let world = Arc::new(World::default());
        let factory = {
            let world = Arc::clone(&world);
            move || {
                let world = Arc::clone(&world);
                Ok(task_fn("worker", async move |ctx: Context| {
                    let (run, _alive) = world.begin();
                    if run == 1 {
                        bail!("no broker")
                    }
                    ctx.cancelled().await;
                    Ok(())
                }))
            }
        };
        let task = restarting(factory).unwrap();
        let handle = task.handle();
        let stopper = thread::spawn({
            let world = Arc::clone(&world);
            move || world.stop()
        });
        run(task, &world);
        stopper.join().unwrap();
        check_end(&world, &handle);
    });
}

#[test]
fn a_task_that_is_dropped_at_any_moment_leaves_nothing_alive() {
    explore(|| {
        let world = Arc::new(World::default());
        let (task, handle) = task(&world);
        let asker = thread::spawn({
            let handle = handle.clone();
            move || handle.restart("one")
        });
        let ctx = Context::new(Arc::clone(&world) as Arc<dyn Scope>);
        let mut running = Box::pin(task.run(ctx));
        let mut polls = thread_rng().gen_range(0..8_u32);
        let polled = catch_unwind(AssertUnwindSafe(|| {
            future::block_on(poll_fn(|cx| {
                if polls == 0 || running.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(());
                }
                polls -= 1;
                cx.waker().wake_by_ref();
                Poll::Pending
            }));
        }));
        drop(running);
        drop(polled);
        asker.join().unwrap();
        check_end(&world, &handle);
    });
}

#[test]
fn a_restart_that_was_asked_for_is_answered_by_a_run_that_began_after_it() {
    explore(|| {
        let world = Arc::new(World::default());
        let asked = Arc::new(AtomicBool::new(false));
        let factory = {
            let (world, asked) = (Arc::clone(&world), Arc::clone(&asked));
            move || {
                let knows = asked.load(Ordering::SeqCst);
                let world = Arc::clone(&world);
                Ok(task_fn("worker", async move |ctx: Context| {
                    let (_, _alive) = world.begin();
                    if knows {
                        return Ok(()); // made after the request
                    }
                    ctx.cancelled().await;
                    Ok(())
                }))
            }
        };
        let task = restarting(factory).unwrap();
        let handle = task.handle();
        let asker = thread::spawn({
            let (handle, asked) = (handle.clone(), Arc::clone(&asked));
            move || {
                asked.store(true, Ordering::SeqCst);
                handle.restart("new configuration")
            }
        });
        // It would never end if the request was lost.
        run(task, &world).unwrap().unwrap();
        asker.join().unwrap();
        check_end(&world, &handle);
    });
}

#[test]
fn what_a_helper_of_an_old_run_says_late_does_not_make_the_next_one_ready() {
    explore(|| {
        let world = Arc::new(World::default());
        let helpers = Arc::new(Mutex::new(Vec::new()));
        let factory = {
            let (world, helpers) = (Arc::clone(&world), Arc::clone(&helpers));
            move || {
                let (world, helpers) = (Arc::clone(&world), Arc::clone(&helpers));
                Ok(task_fn("worker", async move |ctx: Context| {
                    let (run, _alive) = world.begin();
                    if run == 1 {
                        // Without a hold: it may live longer than its run.
                        let helper = thread::spawn(move || ctx.set_ready(true));
                        helpers.lock().unwrap().push(helper);
                        bail!("no broker")
                    }
                    let helper = helpers.lock().unwrap().pop().unwrap();
                    helper.join().unwrap();
                    let is_ready = world.is_ready.load(Ordering::SeqCst);
                    world.check(!is_ready, "the second run said nothing, and is ready");
                    Ok(())
                }))
            }
        };
        let task = restarting(factory).unwrap();
        let handle = task.handle();
        run(task, &world).unwrap().unwrap();
        check_end(&world, &handle);
    });
}
