//! Spawn, stop, abort, finish and drop under thousands of schedules: random ones, and those of PCT,
//! which finds bugs of few preemptions.
//!
//! `SHUTTLE_SCHEDULES` sets the number of each kind, 2,000 by default. A failure prints its
//! schedule, for `shuttle::replay`.
#![cfg(task_shuttle)]
#![allow(clippy::unwrap_used)]

use std::{future::pending, sync::Arc};

use shuttle::{
    Config, MaxSteps, Runner, future,
    scheduler::{PctScheduler, RandomScheduler},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};
use task_children::{ChildHandle, Children};
use task_core::{
    Context, Outcome,
    scope::{ChildrenView, Scope, Stage, StageCell},
};

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

/// What a manager sees of the task, and what the children see of it.
#[derive(Default)]
struct World {
    stage: StageCell,
    holds: AtomicUsize,
    /// Children whose futures exist.
    alive: AtomicUsize,
    began: AtomicUsize,
    recorded: AtomicUsize,
    views: shuttle::sync::Mutex<Vec<std::sync::Weak<dyn ChildrenView>>>,
}

impl Scope for World {
    fn stage(&self) -> &StageCell {
        &self.stage
    }

    fn add_hold(&self) {
        self.holds.fetch_add(1, Ordering::SeqCst);
    }

    fn release_hold(self: Arc<Self>) {
        assert_eq!(self.alive.load(Ordering::SeqCst), 0, "the task ends beside a child");
        self.holds.fetch_sub(1, Ordering::SeqCst);
    }

    fn record_failure(&self, _: anyhow::Error) {
        assert_eq!(self.holds.load(Ordering::SeqCst), 1, "a failure comes too late");
        self.recorded.fetch_add(1, Ordering::SeqCst);
    }

    fn add_children(&self, children: std::sync::Weak<dyn ChildrenView>) {
        self.views.lock().unwrap().push(children);
    }
}

impl World {
    /// Aborts the children, as a manager does at the deadline.
    fn abort(&self) {
        let views: Vec<_> =
            self.views.lock().unwrap().iter().filter_map(|it| it.upgrade()).collect();
        views.iter().for_each(|view| view.abort(false));
    }

    fn check_over(&self) {
        assert_eq!(self.alive.load(Ordering::SeqCst), 0, "a child is alive");
        assert_eq!(self.holds.load(Ordering::SeqCst), 0, "the task is held");
    }
}

/// A child's future, from before its first poll until it is dropped.
struct Alive(Arc<World>);

impl Alive {
    fn new(world: &Arc<World>) -> Self {
        world.alive.fetch_add(1, Ordering::SeqCst);
        world.began.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(world))
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.alive.fetch_sub(1, Ordering::SeqCst);
    }
}

fn world() -> (Arc<World>, Context) {
    let world = Arc::new(World::default());
    let ctx = Context::new(Arc::clone(&world) as _);
    (world, ctx)
}

/// Runs until it is stopped.
fn until_stopped(world: &Arc<World>) -> impl FnOnce(Context) -> Run {
    let alive = Alive::new(world);
    move |ctx: Context| {
        Box::pin(async move {
            let _alive = alive;
            ctx.cancelled().await;
            Ok(())
        })
    }
}

type Run = std::pin::Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send>>;

/// Takes no notice of a stop.
fn deaf(world: &Arc<World>) -> impl FnOnce(Context) -> Run {
    let alive = Alive::new(world);
    move |_| {
        Box::pin(async move {
            let _alive = alive;
            pending().await
        })
    }
}

/// C1.
#[test]
fn a_stop_beside_spawns_leaves_no_child_running() {
    explore(|| {
        let (world, ctx) = world();
        let stops = Arc::clone(&world);
        let stop = thread::spawn(move || {
            stops.stage.advance(Stage::Draining);
            stops.stage.advance(Stage::Cancelled);
        });
        future::block_on(async {
            let children = Children::new(&ctx, 2).unwrap();
            let mut spawned = 0;
            for _ in 0..4 {
                // The third waits for a place, which only the stop makes free: it is refused.
                match children.spawn("child", until_stopped(&world)).await {
                    Ok(_) => spawned += 1,
                    Err(_) => break,
                }
            }
            assert!(spawned <= 4);
            children.finish().await.unwrap();
            assert!(children.is_empty());
        });
        stop.join().unwrap();
        world.check_over();
        assert_eq!(world.recorded.load(Ordering::SeqCst), 0);
    });
}

/// C1.
#[test]
fn an_abort_beside_spawns_and_ends_loses_no_child_and_ends_each_once() {
    explore(|| {
        let (world, ctx) = world();
        let aborts = Arc::clone(&world);
        let children = Children::new(&ctx, 3).unwrap();
        let abort = thread::spawn(move || aborts.abort());
        let mut handles: Vec<ChildHandle> = Vec::new();
        for number in 0..3 {
            let child = if number == 1 {
                children.try_spawn("quick", |_| Box::pin(async { Ok(()) }) as Run).ok()
            } else {
                children.try_spawn("deaf", deaf(&world)).ok()
            };
            handles.extend(child);
        }
        abort.join().unwrap();
        // A child that is spawned after the abort is refused; one before it is dropped.
        let mut aborted = 0;
        future::block_on(async {
            for handle in &handles {
                let outcome = handle.ended().await;
                assert_eq!(handle.outcome(), Some(outcome));
                match outcome {
                    Outcome::Completed => assert_eq!(handle.name(), "quick"),
                    Outcome::Aborted => aborted += 1,
                    other => panic!("{other:?}"),
                }
            }
        });
        assert_eq!(children.len(), 0);
        drop(children);
        world.check_over();
        // All of them in one failure.
        assert_eq!(world.recorded.load(Ordering::SeqCst), usize::from(aborted > 0));
    });
}

/// C1.
#[test]
fn a_drop_beside_the_ends_of_children_releases_the_task_once() {
    explore(|| {
        let (world, ctx) = world();
        let children = Children::new(&ctx, 3).unwrap();
        let deaf = children.try_spawn("deaf", deaf(&world)).unwrap();
        let stopped = children.try_spawn("stopped", until_stopped(&world)).unwrap();
        let stop = stopped.clone();
        let stop = thread::spawn(move || stop.stop());
        drop(children);
        future::block_on(async {
            assert_eq!(deaf.ended().await, Outcome::Aborted);
            stopped.ended().await;
        });
        stop.join().unwrap();
        // The last child ends before it lets the task end.
        while world.holds.load(Ordering::SeqCst) > 0 {
            thread::yield_now();
        }
        world.check_over();
        assert_eq!(world.recorded.load(Ordering::SeqCst), 0); // it was wanted
    });
}

/// C1.
#[test]
fn a_hold_beside_the_end_of_the_future_ends_the_child_once() {
    explore(|| {
        let (world, ctx) = world();
        let children = Children::new(&ctx, 1).unwrap();
        let child = children.try_spawn("holder", |ctx: Context| {
            Box::pin(async move {
                let hold = ctx.hold();
                thread::spawn(move || {
                    let second = ctx.hold();
                    drop(hold);
                    drop(second);
                });
                Ok(())
            }) as Run
        });
        let child = child.unwrap();
        future::block_on(async {
            assert_eq!(child.ended().await, Outcome::Completed);
            children.finish().await.unwrap();
            // The place is free, once.
            let next = children.try_spawn("next", |_| Box::pin(async { Ok(()) }) as Run).unwrap();
            assert_eq!(next.ended().await, Outcome::Completed);
        });
        drop(children);
        world.check_over();
    });
}

#[test]
fn the_panic_of_a_value_that_nobody_takes_is_recorded_once() {
    explore(|| {
        let (world, ctx) = world();
        let children = Children::new(&ctx, 1).unwrap();
        future::block_on(async {
            let child = children.run("value", async |_| -> u32 { panic_quietly() }).await.unwrap();
            let handle = child.handle();
            let drops = thread::spawn(move || drop(child));
            assert_eq!(handle.ended().await, Outcome::Panicked);
            drops.join().unwrap();
        });
        assert_eq!(children.failures(), 1);
        drop(children);
        world.check_over();
        assert_eq!(world.recorded.load(Ordering::SeqCst), 1);
    });
}

/// Panics without a line on stderr for each schedule.
fn panic_quietly() -> u32 {
    std::panic::resume_unwind(Box::new("bug"))
}
