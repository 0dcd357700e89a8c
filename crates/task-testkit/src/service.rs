//! A whole service that is stopped whenever it is at rest, or at instants of real time.

mod real_time;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    time::Duration,
};

use task_core::Step;
use task_manager::{Group, Manager, ManagerBuilder, Report, ShutdownError};
use tokio::{
    task::spawn_blocking,
    time::{Instant, timeout},
};

use crate::{
    clock::OwnRuntime,
    group::{report_of, table},
    points::chosen,
    set_up::set_up,
    signals::{Line, Signal, Signals},
    sweep::{Finding, Sweep},
    text::seconds,
    watchdog::Watchdog,
};

/// How long the end of a group is waited for, on Tokio's clock.
const LONGEST_STOP: Duration = Duration::from_secs(24 * 3600);
/// A clock of milliseconds.
const TICK: Duration = Duration::from_millis(1);

/// Asserts that a service stops cleanly and within `budget`, at each instant at which it is at rest
/// in the first minute of its life, the setup included: [`stop_everywhere`] with its defaults.
///
/// # Panics
///
/// As [`ServiceEverywhere::check`].
///
/// # Examples
///
/// The setup is the one that `taskkit::main` runs:
///
/// ```
/// use std::time::Duration;
/// use task_manager::{Context, Manager, task_fn};
/// use task_testkit::assert_stops_within;
/// use tokio::time::sleep;
///
/// async fn setup(manager: &Manager) -> anyhow::Result<()> {
///     sleep(Duration::from_secs(1)).await; // connects
///     manager.cleanup("database", async || Ok(()))?;
///     manager.run(task_fn("worker", async |ctx: Context| {
///         ctx.cancelled().await;
///         Ok(sleep(Duration::from_secs(2)).await)
///     }))?;
///     Ok(())
/// }
///
/// assert_stops_within(Duration::from_secs(5), setup);
/// ```
#[track_caller]
pub fn assert_stops_within<S>(budget: Duration, setup: S) -> Sweep
where
    S: AsyncFn(&Manager) -> anyhow::Result<()>,
{
    stop_everywhere(setup).within(budget).check()
}

/// Stops a service at each instant at which it is at rest, each time from a fresh start, and finds
/// those at which it does not end cleanly and in time. See [`ServiceEverywhere`].
///
/// `setup` is what `taskkit::main` and `Service::run` take. It is called once for each point.
pub fn stop_everywhere<S>(setup: S) -> ServiceEverywhere<S>
where
    S: AsyncFn(&Manager) -> anyhow::Result<()>,
{
    ServiceEverywhere {
        setup,
        configure: Box::new(|manager| manager),
        within: Duration::from_secs(25),
        lives_for: Duration::from_secs(60),
        time_for_threads: Duration::ZERO,
        real_time: None,
        ready_within: None,
        max_points: 100,
        max_findings: 5,
        seed: 0,
    }
}

/// A sweep over the life of a service that [`stop_everywhere`] begins. [`check`](Self::check) runs
/// it.
///
/// # What is checked
///
/// At each point a scripted `SIGTERM` stops the group, as one of the system would; it reaches
/// nothing else. Then:
///
/// - The shutdown ends within the [budget](Self::within), on Tokio's clock.
/// - Its report is clean, so the exit code is 0: no task failed, panicked, or was aborted or
///   abandoned, and every cleanup ran in its time.
/// - The setup, if it still ran, was dropped at its await. An error that it returns then is no
///   finding, as in `taskkit::main`.
///
/// # Points
///
/// A *point* is an instant at which the whole service is at rest: its setup and all its tasks wait,
/// and the paused clock is about to move on, which in a long wait it does in several steps. All
/// work between two points takes no time. Point 0 is before the setup.
///
/// First the service runs to its end, or to the end of its [life](Self::lives_for); the number of
/// its points is counted then. That is done twice: if the numbers differ, the sweep [says
/// so](Sweep::is_deterministic), and goes on.
///
/// What stands in the midst of the work of one task is found by
/// [`cancel_everywhere`](crate::cancel_everywhere) on that task.
///
/// # Sockets and threads
///
/// Time leaps as soon as everything waits, also for a socket or a thread. So a connection to
/// another process times out at once: give the setup something that stands in for it, or test it
/// [in real time](Self::in_real_time). For threads, as those of a
/// [`blocking_task`](task_core::blocking_task), see
/// [`real_time_for_threads`](Self::real_time_for_threads).
///
/// # Hangs
///
/// A poll that does not return cannot be ended: if nothing ends within the limit of [real
/// time](crate#real-time), a watchdog writes the point to standard error and ends the process with
/// code 101. [In real time](Self::in_real_time), it first gives a life the span, the limit of its
/// readiness, its budget, and 30 s.
#[must_use = "call `check`"]
pub struct ServiceEverywhere<S> {
    setup: S,
    configure: Box<dyn Fn(ManagerBuilder) -> ManagerBuilder>,
    within: Duration,
    lives_for: Duration,
    time_for_threads: Duration,
    real_time: Option<(u32, Duration)>,
    ready_within: Option<Duration>,
    max_points: usize,
    max_findings: usize,
    seed: u64,
}

impl<S> ServiceEverywhere<S> {
    /// Configures the manager, as `Service::manager` does. Default: that of [`Manager::builder`],
    /// with the name `service`.
    pub fn manager(
        mut self,
        configure: impl Fn(ManagerBuilder) -> ManagerBuilder + 'static,
    ) -> Self {
        self.configure = Box::new(configure);
        self
    }

    /// Sets how long a shutdown may take, on Tokio's clock and to the millisecond. Default: 25 s.
    pub fn within(mut self, budget: Duration) -> Self {
        self.within = budget;
        self
    }

    /// Sets for how long the service runs where nothing stops it at a point, on Tokio's clock.
    /// Default: 1 minute.
    pub fn lives_for(mut self, life: Duration) -> Self {
        self.lives_for = life;
        self
    }

    /// Sets for how much real time the clock stands still after each stop, unless the group ends
    /// before: for tasks with threads, which otherwise have none. Default: zero.
    pub fn real_time_for_threads(mut self, time: Duration) -> Self {
        self.time_for_threads = time;
        self
    }

    /// Stops the service in real time, for one that a paused clock cannot run: with a database, a
    /// broker, sockets, threads. `count` lives, each on a fresh runtime with two workers and a
    /// clock that is not paused, are each stopped at one instant of the first `span` of the
    /// service, its setup included: the span is divided into `count` equal parts, and each part
    /// has one at random, which the [seed](Self::seed) decides. 0 counts as 1, and a day is the
    /// longest span.
    ///
    /// What is checked is the same. The points are these instants: they are in the sweep's
    /// `Display`, and as the machine's speed varies, the service is not at the same place there
    /// each time. It takes about half the span, and one stop, for each. `lives_for`, `max_points`
    /// and `real_time_for_threads` have no effect.
    ///
    /// A busy machine makes all slower: allow for it in [`within`](Self::within). A life that has
    /// not ended 30 s after its budget is a finding; its runtime is then dropped without waiting
    /// for what blocks.
    ///
    /// Default: the paused clock.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::{thread, time::Duration};
    /// use task_core::{Context, blocking_task};
    /// use task_testkit::stop_everywhere;
    ///
    /// stop_everywhere(async |manager| {
    ///     manager.run(blocking_task("purge", |ctx: Context| {
    ///         while !ctx.wait_cancelled(Duration::from_millis(10)) {
    ///             thread::sleep(Duration::from_millis(5)); // deletes what is old
    ///         }
    ///         Ok(())
    ///     }))?;
    ///     Ok(())
    /// })
    /// .in_real_time(3, Duration::from_millis(60))
    /// .check();
    /// ```
    pub fn in_real_time(mut self, count: u32, span: Duration) -> Self {
        self.real_time = Some((count, span));
        self
    }

    /// Counts the instants of [real time](Self::in_real_time) from when the group is ready, so that
    /// none is in its setup. A life that is not ready within `limit` is stopped then, and is a
    /// finding. Has no effect on the paused clock. Default: from the start.
    pub fn once_ready_within(mut self, limit: Duration) -> Self {
        self.ready_within = Some(limit);
        self
    }

    /// Sets at how many points the service is stopped; 0 counts as 1. Of more points, the first 64
    /// are tested, some at equal distances, and some at random. Default: 100.
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

    /// Runs the sweep, and asserts that it is clean.
    ///
    /// # Panics
    ///
    /// If anything was found. Also if the settings of the manager contradict each other, and if
    /// called within a Tokio runtime: the sweep makes its own.
    #[track_caller]
    pub fn check(self) -> Sweep
    where
        S: AsyncFn(&Manager) -> anyhow::Result<()>,
    {
        self.run().assert_clean()
    }

    /// Runs the sweep, and returns what it found.
    ///
    /// # Panics
    ///
    /// If the settings of the manager contradict each other, and if called within a Tokio runtime:
    /// the sweep makes its own.
    #[must_use = "call `assert_clean` on it"]
    #[track_caller]
    pub fn run(self) -> Sweep
    where
        S: AsyncFn(&Manager) -> anyhow::Result<()>,
    {
        if let Some((count, span)) = self.real_time {
            return self.run_in_real_time(count, span);
        }
        let watchdog = Watchdog::start(Duration::ZERO, "the service");
        let at = |point: Option<usize>| {
            watchdog.feed(match point {
                Some(point) => format!("the service, stopped at point {point},"),
                None => String::from("the service, stopped at its end,"),
            });
            self.once(point)
        };
        let (first, second) = (at(None), at(None));
        let (total, again) = (first.points, second.points);
        let mut sweep = Sweep {
            done: "stopped",
            subject: format!("service `{}`", first.name),
            total,
            tested: 0,
            seed: self.seed,
            instants: Vec::new(),
            differs: Some((total, again)).filter(|_| total != again),
            vanished: 0,
            findings: first.findings(None, self.within),
            is_cut_short: false,
        };
        for point in chosen(total, self.max_points, self.seed) {
            if sweep.findings.len() >= self.max_findings {
                sweep.is_cut_short = true;
                break;
            }
            let life = at(Some(point));
            sweep.tested += 1;
            sweep.vanished += usize::from(life.stopped.is_none());
            sweep.findings.extend(life.findings(Some(point), self.within));
        }
        sweep
    }

    /// One life of the service.
    #[track_caller]
    fn once(&self, point: Option<usize>) -> Life
    where
        S: AsyncFn(&Manager) -> anyhow::Result<()>,
    {
        let rests = Arc::new(AtomicUsize::new(0));
        let line = Line::default();
        let runtime = OwnRuntime::paused(|builder| {
            let (rests, line) = (rests.clone(), line.clone());
            builder.on_thread_park(move || {
                if Some(rests.fetch_add(1, Ordering::Relaxed) + 1) == point {
                    line.deliver(Signal::Term, Instant::now());
                }
            });
        });
        runtime.block_on(self.live(point, &rests, line))
    }

    async fn live(&self, point: Option<usize>, rests: &AtomicUsize, line: Line) -> Life
    where
        S: AsyncFn(&Manager) -> anyhow::Result<()>,
    {
        let born = Instant::now();
        let manager = self.manager_with(&line);
        let (_running, ended) = mpsc::channel::<()>();
        let stopping = tokio::spawn({
            let (group, real_time) = (manager.group(), self.time_for_threads);
            async move {
                let at = stop_of(group).await;
                if !real_time.is_zero() {
                    drop(spawn_blocking(move || ended.recv_timeout(real_time)));
                }
                at
            }
        });
        if point == Some(0) {
            line.deliver(Signal::Term, Instant::now());
        }
        let mut serving = std::pin::pin!(self.serve(&manager));
        let mut points = None;
        let result = match timeout(self.lives_for, &mut serving).await {
            Ok(result) => Some(result),
            Err(_elapsed) => {
                points = Some(rests.load(Ordering::Relaxed));
                line.deliver(Signal::Term, Instant::now());
                timeout(LONGEST_STOP, serving).await.ok()
            }
        };
        let stopped = stopping.await.ok().map(|at| at.saturating_duration_since(born));
        let report = result.map(report_of);
        // And point 0.
        let points = points.unwrap_or_else(|| rests.load(Ordering::Relaxed)) + 1;
        let stopped = stopped.filter(|_| point.is_none_or(|point| point < points));
        Life::new(&manager.group(), points, stopped, report)
    }

    /// Makes the manager of one life, with the task that the line delivers signals to.
    fn manager_with(&self, line: &Line) -> Manager {
        let manager = match (self.configure)(Manager::builder().name("service")).build() {
            Ok(manager) => manager,
            Err(error) => panic!("the settings of the service: {error}"),
        };
        let signals = Signals { script: Vec::new(), line: line.clone() };
        if let Err(refused) = manager.run(signals) {
            panic!("the signals of the service: {refused}");
        }
        manager
    }

    /// The service from its setup to its end.
    async fn serve(&self, manager: &Manager) -> Result<Report, ShutdownError>
    where
        S: AsyncFn(&Manager) -> anyhow::Result<()>,
    {
        set_up(manager, &self.setup).await;
        manager.wait().await
    }
}

impl<S> fmt::Debug for ServiceEverywhere<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut service = f.debug_struct("ServiceEverywhere");
        service.field("within", &self.within).field("lives_for", &self.lives_for);
        service.field("real_time", &self.real_time);
        service.finish_non_exhaustive()
    }
}

/// One life of a service.
struct Life {
    name: String,
    points: usize,
    /// When its shutdown began. `None` if it ended before the point at which it was to be stopped.
    stopped: Option<Duration>,
    /// `None` if it did not end.
    report: Option<Report>,
    table: String,
}

impl Life {
    fn new(
        group: &Group,
        points: usize,
        stopped: Option<Duration>,
        report: Option<Report>,
    ) -> Self {
        let group = group.snapshot();
        let table = table(&group);
        Self { name: group.name.into_owned(), points, stopped, report, table }
    }

    fn findings(self, point: Option<usize>, within: Duration) -> Vec<Finding> {
        let at = self.stopped.unwrap_or_default();
        let finding = |what| Finding { point, at, status: None, what };
        let Some(report) = self.report else {
            return vec![finding(format!("it did not end{}", self.table))];
        };
        let steps = report.steps();
        let took = steps.ended.saturating_sub(steps.triggered);
        let mut findings: Vec<_> =
            report.failures().iter().map(|failure| finding(failure.to_string())).collect();
        if took > within.saturating_add(TICK) {
            let (took, within) = (seconds(took), seconds(within));
            let slow = slowest(&report);
            findings.push(finding(format!("it took {took} of {within} to stop{slow}")));
        }
        findings
    }
}

/// Waits until the shutdown has begun, and returns when.
async fn stop_of(mut group: Group) -> Instant {
    while group.step() == Step::Running {
        group.changed().await;
    }
    Instant::now()
}

/// The task that took longest to stop, for a shutdown that took too long.
fn slowest(report: &Report) -> String {
    let slowest = report.tasks().iter().max_by_key(|task| task.stop_took);
    let took = slowest.and_then(|task| Some((&task.name, task.stop_took?)));
    took.map_or_else(String::new, |(name, took)| format!("; task `{name}` took {}", seconds(took)))
}
