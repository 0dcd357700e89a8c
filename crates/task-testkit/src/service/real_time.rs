//! The service in real time, where it is never known to be at rest: stopped at chosen instants.

use std::time::Duration;

use task_core::Step;
use task_manager::{Group, Manager};
use tokio::{
    runtime::Builder,
    time::{Instant, timeout},
};

use super::{Life, ServiceEverywhere, stop_of};
use crate::{
    clock::OwnRuntime,
    group::{report_of, table},
    points::instants,
    signals::{Line, Signal},
    sweep::{Finding, Sweep},
    text::seconds,
    watchdog::Watchdog,
};

/// How many workers the runtime has.
const WORKERS: usize = 2;
/// How long after its budget the end of a group is waited for. The default of a manager's shutdown
/// timeout is shorter, so that its report says what is stuck.
const GRACE: Duration = Duration::from_secs(30);
const LONGEST_SPAN: Duration = Duration::from_secs(24 * 3600);

impl<S> ServiceEverywhere<S> {
    #[track_caller]
    pub(super) fn run_in_real_time(&self, count: u32, span: Duration) -> Sweep
    where
        S: AsyncFn(&Manager) -> anyhow::Result<()>,
    {
        let instants = instants(count, span.min(LONGEST_SPAN), self.seed);
        let longest = self.longest_life(span.min(LONGEST_SPAN));
        let watchdog = Watchdog::start(longest, "the service");
        let mut sweep = Sweep {
            done: "stopped",
            subject: String::new(),
            total: instants.len(),
            tested: 0,
            seed: self.seed,
            instants,
            differs: None,
            vanished: 0,
            findings: Vec::new(),
            is_cut_short: false,
        };
        for (point, at) in sweep.instants.iter().copied().enumerate() {
            if sweep.findings.len() >= self.max_findings {
                sweep.is_cut_short = true;
                break;
            }
            let (shown, seed) = (seconds(at), self.seed);
            watchdog.feed(format!("the service, stopped at {shown} of real time (seed {seed}),"));
            let runtime = OwnRuntime::build(Builder::new_multi_thread().worker_threads(WORKERS));
            let (life, unready) = runtime.block_on(self.live_in_real_time(at));
            sweep.subject = format!("service `{}`", life.name);
            sweep.tested += 1;
            sweep.vanished += usize::from(life.stopped.is_none());
            let when = life.stopped.unwrap_or_default();
            sweep.findings.extend(unready.map(|what| Finding {
                point: Some(point),
                at: when,
                status: None,
                what,
            }));
            sweep.findings.extend(life.findings(Some(point), self.within));
        }
        sweep
    }

    /// How long a life that is stopped after `at` may take in all.
    fn longest_life(&self, at: Duration) -> Duration {
        let ready_within = self.ready_within.unwrap_or_default();
        at.saturating_add(ready_within).saturating_add(self.within).saturating_add(GRACE)
    }

    /// One life of the service, and what to say if it was not ready in time.
    async fn live_in_real_time(&self, at: Duration) -> (Life, Option<String>)
    where
        S: AsyncFn(&Manager) -> anyhow::Result<()>,
    {
        let born = Instant::now();
        let line = Line::default();
        let manager = self.manager_with(&line);
        // Both on the workers: the setup may block its thread, which is this one.
        let stopping = tokio::spawn(stop_of(manager.group()));
        let stop = tokio::spawn(stop_at(at, self.ready_within, manager.group(), line));
        let result = timeout(self.longest_life(at), self.serve(&manager)).await.ok();
        // It returns once the group stops, if not before.
        let (mut stopped, mut unready) = (None, None);
        if let Ok(Some(delivered)) = stop.await {
            unready = delivered.unready;
            stopped = stopping.await.ok().map(|at| at.saturating_duration_since(born));
        }
        let life = Life::new(&manager.group(), 0, stopped, result.map(report_of));
        (life, unready)
    }
}

/// A signal that began a shutdown.
struct Delivered {
    /// What to say if the group was not ready in time.
    unready: Option<String>,
}

/// Delivers the signal. Returns `None` if the group begins to stop before.
async fn stop_at(
    at: Duration,
    ready_within: Option<Duration>,
    mut group: Group,
    line: Line,
) -> Option<Delivered> {
    let mut unready = None;
    if let Some(limit) = ready_within
        && timeout(limit, readiness(&mut group)).await.is_err()
    {
        let table = table(&group.snapshot());
        unready = Some(format!("it was not ready within {}{table}", seconds(limit)));
    } else if timeout(at, stop_of(group)).await.is_ok() {
        return None;
    }
    line.deliver(Signal::Term, Instant::now());
    Some(Delivered { unready })
}

/// Waits until the group is ready, or stops.
async fn readiness(group: &mut Group) {
    loop {
        let snapshot = group.snapshot();
        if snapshot.step != Step::Running || snapshot.readiness.is_ready() {
            return;
        }
        group.changed().await;
    }
}
