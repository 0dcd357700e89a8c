//! A service whose every worker is blocked.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use task_manager::{Manager, Report};
use tokio::runtime::Builder;

use crate::{
    clock::OwnRuntime, group::report_of, set_up::set_up, text::seconds, watchdog::Watchdog,
};

/// How many workers the runtime has.
const WORKERS: usize = 2;
/// How much later than its deadline the wait may return: a busy machine is no failure.
const SLACK: Duration = Duration::from_secs(2);
/// How long the workers may take to come to the tasks that block them.
const BLOCK_LIMIT: Duration = Duration::from_secs(10);

/// Runs a service, blocks every worker of its runtime, stops it, and asserts that the wait for it
/// returns within `budget`, and 2 s more for a busy machine. Returns the report, which names the
/// tasks that could not end.
///
/// It takes real time, on a runtime with two workers: up to `budget`, which is the manager's
/// shutdown timeout, and must be at least 100 ms. The workers are blocked once `setup` has
/// returned, and released at the end.
///
/// # Panics
///
/// If the wait returns later, or if the workers do not come to be blocked within 10 s, since tasks
/// of the service block them already. Also if the manager refuses the budget, and if called within
/// a Tokio runtime: it makes its own. A watchdog ends the process if the whole takes longer
/// than the budget and the limit of [real time](crate#real-time).
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use task_manager::{Context, task_fn};
/// use task_testkit::{ReportAssertions as _, with_blocked_workers};
///
/// let report = with_blocked_workers(Duration::from_millis(300), async |manager| {
///     manager.run(task_fn("worker", async |ctx: Context| {
///         ctx.cancelled().await;
///         Ok(())
///     }))?;
///     Ok(())
/// });
/// report.assert_cause("stop was called").assert_stuck(&["worker"]);
/// ```
#[track_caller]
pub fn with_blocked_workers<S>(budget: Duration, setup: S) -> Report
where
    S: AsyncFn(&Manager) -> anyhow::Result<()>,
{
    let _watchdog = Watchdog::start(budget, "the service with blocked workers");
    let runtime = OwnRuntime::build(Builder::new_multi_thread().worker_threads(WORKERS));
    let entered = runtime.enter();
    let manager = match Manager::builder().name("service").shutdown_timeout(budget).build() {
        Ok(manager) => manager,
        Err(error) => panic!("the budget of the service: {error}"),
    };
    drop(entered);
    runtime.block_on(set_up(&manager, &setup));
    // Dropped at the end, which releases the workers.
    let (_release, released) = mpsc::channel::<()>();
    let released = Arc::new(Mutex::new(released));
    let blocked = Arc::new(AtomicUsize::new(0));
    for _ in 0..WORKERS {
        let (released, blocked) = (released.clone(), blocked.clone());
        runtime.spawn(async move {
            blocked.fetch_add(1, Ordering::SeqCst);
            let _ = released.lock().unwrap_or_else(PoisonError::into_inner).recv();
        });
    }
    let began = Instant::now();
    while blocked.load(Ordering::SeqCst) < WORKERS {
        assert!(began.elapsed() < BLOCK_LIMIT, "the workers of the service are blocked already");
        thread::sleep(Duration::from_millis(1));
    }
    let began = Instant::now();
    manager.stop();
    let report = report_of(runtime.block_on(manager.wait()));
    let took = began.elapsed();
    assert!(
        took <= budget.saturating_add(SLACK),
        "the wait returned after {} of {}:\n{report}",
        seconds(took),
        seconds(budget),
    );
    report
}
