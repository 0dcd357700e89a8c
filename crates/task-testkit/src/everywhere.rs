//! A task that is cancelled, or dropped, at each of its awaits in turn.

use std::{sync::Arc, time::Duration};

use task_core::{Outcome, Task};
use tokio::{
    runtime::Handle,
    time::{sleep, timeout},
};

use crate::{
    clock::OwnRuntime,
    driven::{Drive, Driven, Injection, Stop},
    points::chosen,
    recorder::Recorder,
    seen::{MOST_POLLS, Seen, checked},
    sweep::Sweep,
    watchdog::Watchdog,
};

/// How often a poll must have blocked for too long at one point, so that a busy machine is not
/// taken for a task that blocks.
const TRIES: usize = 3;

/// Cancels a task at each of its awaits in turn, each time in a fresh world, and finds those at
/// which it does not end in time and cleanly, or at which it loses something.
///
/// `build` makes the world, which is all that the task works with and what the check looks at, and
/// the task. It is called once for each point, on a paused clock, within a Tokio runtime, where it
/// may spawn what the world needs.
///
/// A *point* is a number of polls that returned `Pending`; point 0 is before the first poll. See
/// [`Everywhere`] for what is checked, and for the settings.
///
/// # Examples
///
/// ```
/// use task_core::{Context, Task, task_fn};
/// use task_testkit::cancel_everywhere;
/// use tokio::sync::mpsc;
///
/// fn consumer(mut queue: mpsc::Receiver<u32>, done: mpsc::Sender<u32>) -> impl Task {
///     task_fn("consumer", async move |ctx: Context| {
///         while let Some(order) = ctx.or_cancelled(queue.recv()).await? {
///             done.send(order).await?; // outside of `or_cancelled`: an order is never lost
///         }
///         Ok(())
///     })
/// }
///
/// cancel_everywhere(async || {
///     let (orders, queue) = mpsc::channel(1);
///     let (done, finished) = mpsc::channel(1);
///     let feeding = tokio::spawn(async move {
///         for order in 0..5 {
///             if orders.send(order).await.is_err() {
///                 return order; // this one was not accepted
///             }
///         }
///         5
///     });
///     let counting = tokio::spawn(async move {
///         let mut finished = finished;
///         let mut count = 0;
///         while finished.recv().await.is_some() {
///             count += 1;
///         }
///         count
///     });
///     ((feeding, counting), consumer(queue, done))
/// })
/// .check(async |(feeding, counting)| {
///     // The queue holds one order, which the consumer had not taken when it was cancelled.
///     let (sent, handled) = (feeding.await.unwrap(), counting.await.unwrap());
///     assert!(sent - handled <= 1, "{sent} sent, {handled} handled");
/// });
/// ```
pub fn cancel_everywhere<W, T, B>(build: B) -> Everywhere<B>
where
    T: Task,
    B: AsyncFn() -> (W, T),
{
    Everywhere::new(build, Kind::Cancel)
}

/// Drops a task at each of its awaits in turn, as an abort at its deadline and the end of its
/// runtime do, each time in a fresh world, and finds those at which it loses something.
///
/// The awaits between a stop and the end are among them, where an abort comes in a real shutdown.
///
/// Otherwise as [`cancel_everywhere`]: a task that lives until it is stopped is cancelled at the
/// end of its [life](Everywhere::lives_for).
///
/// # Examples
///
/// ```
/// use std::sync::{Arc, Mutex};
/// use task_core::{Context, task_fn};
/// use task_testkit::drop_everywhere;
/// use tokio::task::yield_now;
///
/// let sweep = drop_everywhere(async || {
///     let file = Arc::new(Mutex::new(String::new()));
///     let task = task_fn("writer", {
///         let file = file.clone();
///         async move |_: Context| {
///             file.lock().unwrap().push_str("head");
///             yield_now().await;
///             file.lock().unwrap().push_str(", body");
///             Ok(())
///         }
///     });
///     (file, task)
/// })
/// .run(async |file| {
///     let file = file.lock().unwrap();
///     assert!(file.is_empty() || file.ends_with("body"), "half written: {file}");
/// });
/// assert_eq!(sweep.findings().len(), 1);
/// assert!(sweep.findings()[0].what.contains("half written: head"));
/// ```
pub fn drop_everywhere<W, T, B>(build: B) -> Everywhere<B>
where
    T: Task,
    B: AsyncFn() -> (W, T),
{
    Everywhere::new(build, Kind::Drop)
}

/// A sweep over the awaits of a task that [`cancel_everywhere`] or [`drop_everywhere`] begins.
/// [`check`](Self::check) runs it.
///
/// # What is checked
///
/// At each point:
///
/// - The task ends within the [limit](Self::ends_within) after it was cancelled, on Tokio's clock,
///   and within 100,000 polls.
/// - Its end is clean: it completed, or ended as cancelled. Where it is dropped, nothing panics.
/// - Its holds are released: within the limit, or 250 ms after a drop, and up to 2 s of real time
///   more for threads.
/// - It does not use its context any more once it has ended, as far as the check waits.
/// - No poll, and no drop, [blocks its thread](Self::blocks_for_at_most).
/// - With [`leaves_no_tasks`](Self::leaves_no_tasks), what it spawned has ended.
/// - The check of the world does not panic.
///
/// # Points
///
/// First the task runs to its end, or to the end of its [life](Self::lives_for), where it is
/// cancelled; the number of its polls then is the number of points. This run is checked like the
/// others. It is done twice: if the numbers differ, the sweep [says
/// so](Sweep::is_deterministic), and goes on.
///
/// Of more than 256 points, the first 64 are tested, some at equal distances, and some at random;
/// see [`max_points`](Self::max_points) and [`seed`](Self::seed). The sweep stops early once 5
/// points are bad; see [`max_findings`](Self::max_findings).
///
/// # Time
///
/// A point takes 0.1 to 1 ms for a small world. A poll that does not return cannot be ended: if
/// nothing ends within the limit of [real time](crate#real-time), a watchdog writes the point to
/// standard error and ends the process with code 101.
#[derive(Debug)]
#[must_use = "call `check`"]
pub struct Everywhere<B> {
    build: B,
    kind: Kind,
    ends_within: Duration,
    lives_for: Duration,
    drain: Duration,
    remaining: Option<Duration>,
    blocks_for_at_most: Duration,
    leaves_no_tasks: bool,
    max_points: usize,
    max_findings: usize,
    seed: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Cancel,
    Drop,
}

impl<B> Everywhere<B> {
    fn new(build: B, kind: Kind) -> Self {
        Self {
            build,
            kind,
            ends_within: Duration::from_secs(5),
            lives_for: Duration::from_secs(60),
            drain: Duration::ZERO,
            remaining: None,
            blocks_for_at_most: Duration::from_millis(200),
            leaves_no_tasks: false,
            max_points: 256,
            max_findings: 5,
            seed: 0,
        }
    }

    /// Sets how long the task may take to end once it is cancelled, on Tokio's clock and to the
    /// millisecond. Its context's `remaining` counts down from it. Default: 5 s.
    pub fn ends_within(mut self, limit: Duration) -> Self {
        self.ends_within = limit;
        self
    }

    /// Sets for how long the task runs where nothing stops it at a point, on Tokio's clock. At the
    /// end of that, or after 100,000 polls, it is cancelled. Default: 1 minute.
    pub fn lives_for(mut self, life: Duration) -> Self {
        self.lives_for = life;
        self
    }

    /// Has the task drain at the point, and cancels it that much later. Has no effect where it is
    /// dropped. Default: no drain.
    pub fn drains_for(mut self, drain: Duration) -> Self {
        self.drain = drain;
        self
    }

    /// Sets what the context's `remaining` begins with once the task is cancelled: zero for a task
    /// that is stopped too late. Default: the limit of [`ends_within`](Self::ends_within).
    pub fn remaining(mut self, time: Duration) -> Self {
        self.remaining = Some(time);
        self
    }

    /// Sets for how much real time a poll, and the drop of the future, may block its thread.
    /// Default: 200 ms.
    ///
    /// A point at which one does is tried two more times, and counts only if it blocks each time,
    /// since another process may have had the processor.
    pub fn blocks_for_at_most(mut self, limit: Duration) -> Self {
        self.blocks_for_at_most = limit;
        self
    }

    /// Checks also that the tasks that this one spawned on the runtime have ended when it has.
    /// Default: not checked, since what the world spawns later counts as well.
    pub fn leaves_no_tasks(mut self) -> Self {
        self.leaves_no_tasks = true;
        self
    }

    /// Sets at how many points the task is stopped; 0 counts as 1. Default: 256.
    pub fn max_points(mut self, most: usize) -> Self {
        self.max_points = most.max(1);
        self
    }

    /// Sets after how many findings the sweep stops; 0 counts as 1. Default: 5.
    pub fn max_findings(mut self, most: usize) -> Self {
        self.max_findings = most.max(1);
        self
    }

    /// Sets the seed of the points that are chosen at random. Default: 0, so that a test does the
    /// same each time.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Runs the sweep, and asserts that it is clean. `check` looks at the world after each end; it
    /// panics where something is wrong, and may wait for up to an hour of Tokio's clock.
    ///
    /// # Panics
    ///
    /// If anything was found. Also if `build` panics, and if called within a Tokio runtime: the
    /// sweep makes its own.
    #[track_caller]
    pub fn check<W, T, C>(self, check: C) -> Sweep
    where
        T: Task,
        B: AsyncFn() -> (W, T),
        C: AsyncFn(&mut W),
    {
        self.run(check).assert_clean()
    }

    /// Runs the sweep, and returns what it found.
    ///
    /// # Panics
    ///
    /// If `build` panics, and if called within a Tokio runtime: the sweep makes its own.
    #[must_use = "call `assert_clean` on it"]
    #[track_caller]
    pub fn run<W, T, C>(self, check: C) -> Sweep
    where
        T: Task,
        B: AsyncFn() -> (W, T),
        C: AsyncFn(&mut W),
    {
        let watchdog = Watchdog::start(Duration::ZERO, "the task");
        let done = if self.kind == Kind::Cancel { "cancelled" } else { "dropped" };
        let at = |point: Option<usize>| {
            watchdog.feed(match point {
                Some(point) => format!("the task, {done} at point {point},"),
                None => String::from("the task, stopped at its end,"),
            });
            self.settled(point, &check)
        };
        let (first, second) = (at(None), at(None));
        let total = self.points_of(&first);
        let again = self.points_of(&second);
        let mut sweep = Sweep {
            done,
            subject: format!("task `{}`", first.ended.name),
            total,
            tested: 0,
            seed: self.seed,
            instants: Vec::new(),
            differs: Some((total, again)).filter(|_| total != again),
            vanished: 0,
            findings: first.findings(None),
            is_cut_short: false,
        };
        for point in chosen(total, self.max_points, self.seed) {
            if sweep.findings.len() >= self.max_findings {
                sweep.is_cut_short = true;
                break;
            }
            let seen = at(Some(point));
            sweep.tested += 1;
            sweep.vanished += usize::from(seen.observed.injected.is_none());
            sweep.findings.extend(seen.findings(Some(point)));
        }
        sweep
    }

    /// How many points a run has that nothing stopped before its end.
    fn points_of(&self, seen: &Seen) -> usize {
        let pending = match self.kind {
            Kind::Cancel => seen.observed.before_stop,
            Kind::Drop => seen.observed.pending,
        };
        // And point 0.
        pending + 1
    }

    /// Runs the task to one point, repeatedly while it seems to block.
    #[track_caller]
    fn settled<W, T, C>(&self, point: Option<usize>, check: &C) -> Seen
    where
        T: Task,
        B: AsyncFn() -> (W, T),
        C: AsyncFn(&mut W),
    {
        let mut seen = self.once(point, check);
        for _ in 1..TRIES {
            if !seen.is_blocking() {
                break;
            }
            seen = self.once(point, check);
        }
        seen
    }

    #[track_caller]
    fn once<W, T, C>(&self, point: Option<usize>, check: &C) -> Seen
    where
        T: Task,
        B: AsyncFn() -> (W, T),
        C: AsyncFn(&mut W),
    {
        OwnRuntime::paused(|_| {}).block_on(self.live(point, check))
    }

    async fn live<W, T, C>(&self, point: Option<usize>, check: &C) -> Seen
    where
        T: Task,
        B: AsyncFn() -> (W, T),
        C: AsyncFn(&mut W),
    {
        let (mut world, task) = (self.build)().await;
        let alive = Handle::current().metrics().num_alive_tasks();
        let recorder = Arc::new(Recorder::new(&task.name()));
        let stop = match self.kind {
            Kind::Cancel => Stop::Cancel { drain: self.drain },
            Kind::Drop => Stop::Drop,
        };
        let (limit, shown) = (Some(self.ends_within), self.remaining);
        let drive = Drive {
            injection: point.map(|at| Injection { at, stop }),
            limit,
            shown,
            most_polls: Some(MOST_POLLS),
        };
        let mut driving = tokio::spawn(Driven::new(task, &recorder, drive));
        let observed = match timeout(self.lives_for, &mut driving).await {
            Ok(observed) => observed,
            Err(_elapsed) => {
                recorder.cancel(limit, shown);
                driving.await
            }
        };
        // It catches what the task does.
        let observed = observed.unwrap_or_else(|error| panic!("the driver of a task: {error}"));
        let (Some(ended), events) = (recorder.ended(), recorder.events().len()) else {
            unreachable!("its driver has recorded the end");
        };
        // What it spawned may have ended with it, and is dropped by the runtime in its next turn.
        sleep(Duration::from_millis(1)).await;
        let left = Handle::current().metrics().num_alive_tasks().saturating_sub(alive);
        let failed = checked(check(&mut world)).await;
        let late = recorder.events().into_iter().skip(events);
        let late_use = late.map(|event| event.kind).find(|kind| {
            // A hold that outlives an abandoned task is a finding already.
            kind.is_of_the_task() && ended.outcome != Outcome::Abandoned
        });
        Seen {
            is_dropped: self.kind == Kind::Drop && observed.injected.is_some(),
            observed,
            ended,
            left: if self.leaves_no_tasks { left } else { 0 },
            late_use: late_use.map(|kind| kind.to_string()),
            failed,
            limit: self.ends_within,
            blocks_for_at_most: self.blocks_for_at_most,
        }
    }
}
