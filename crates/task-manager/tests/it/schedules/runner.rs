//! Runs a schedule on a separate runtime, and records what its tasks and cleanups observe.

use std::{
    future::pending,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::anyhow;
use task_manager::{
    Context, Manager, ManagerHandle, Phase, Report, ShutdownError, Step, Task, TaskHandle, Timeout,
    task_fn,
};
use tokio::{sync::watch, task::JoinHandle, time::sleep};

use super::{Action, Behaviour, Ending, Hook, Schedule, checks};

/// Longer than any schedule.
const FOREVER: Duration = Duration::from_secs(3_600);
/// More than by how much Tokio's timers may be late.
const RESOLUTION: Duration = Duration::from_millis(3);

/// What the test recorded of a task.
pub(super) struct TaskRecord {
    pub(super) name: String,
    pub(super) phase: Phase,
    /// Whether it was admitted during the shutdown.
    pub(super) is_late: bool,
    pub(super) limit: Option<Duration>,
    pub(super) behaviour: Behaviour,
    pub(super) handle: TaskHandle,
    pub(super) counters: Arc<Counters>,
}

/// Counts the polls and drops of a future.
#[derive(Default)]
pub(super) struct Counters {
    pub(super) polls: AtomicUsize,
    pub(super) drops: AtomicUsize,
}

/// Counts the drop of the future that owns it.
struct CountDrop(Arc<Counters>);

impl Drop for CountDrop {
    fn drop(&mut self) {
        self.0.drops.fetch_add(1, Ordering::SeqCst);
    }
}

/// What the test recorded of a cleanup.
pub(super) struct HookRecord {
    pub(super) name: String,
    pub(super) hook: Hook,
    pub(super) runs: Arc<AtomicUsize>,
    /// Whether it was registered while cleanups ran.
    pub(super) is_late: bool,
    /// Whether it was registered before the shutdown.
    pub(super) is_planned: bool,
    /// The ordinal of its run from `Records::next`; 0 if it was not run.
    pub(super) ran_at: Arc<AtomicUsize>,
}

#[derive(Default)]
pub(super) struct Records {
    pub(super) tasks: Mutex<Vec<TaskRecord>>,
    pub(super) hooks: Mutex<Vec<HookRecord>>,
    /// Tasks that were alive and not abandoned when a cleanup began.
    pub(super) alive_in_cleanups: Mutex<Vec<String>>,
    next: AtomicUsize,
}

impl Records {
    fn next(&self) -> usize {
        self.next.fetch_add(1, Ordering::SeqCst) + 1
    }
}

pub(super) type WaitResult = Result<Report, ShutdownError>;

/// Opens when holds that outlive their task are to be dropped.
type Gate = watch::Receiver<bool>;

pub(super) fn run_schedule(schedule: &Schedule) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.unwrap();
    runtime.block_on(async {
        let records = Arc::new(Records::default());
        let (release, gate) = watch::channel(false);
        let (handle, results) = execute(schedule, &records, &gate).await;
        let report = checks::check(schedule, &records, &results);
        checks::check_closed(&handle);
        // Abandoned tasks can end now, and then no task is left.
        release.send_replace(true);
        sleep(FOREVER).await;
        let alive = tokio::runtime::Handle::current().metrics().num_alive_tasks();
        assert_eq!(alive, 0, "tasks left behind");
        // The end of abandoned tasks runs no cleanup that the report says was not run.
        checks::check_cleanups(schedule, &records, report);
    });
}

async fn execute(
    schedule: &Schedule,
    records: &Arc<Records>,
    gate: &Gate,
) -> (ManagerHandle, Vec<WaitResult>) {
    let Schedule { stop, drain, cleanup, only_failures_stop, actions, ending } = schedule;
    let builder = Manager::builder()
        .shutdown_timeout(*stop + *drain + *cleanup)
        .drain_delay(*drain)
        .cleanup_timeout(*cleanup);
    let builder = if *only_failures_stop { builder.only_failures_stop() } else { builder };
    let manager = builder.without_panic_hook().build().unwrap();
    let handle = manager.handle();
    for action in actions {
        match *action {
            Action::Run { critical, phase, behaviour, limit } => {
                run(&handle, records, gate, critical, phase, behaviour, limit);
            }
            Action::Cleanup(hook) => register(&handle, records, hook, false),
            Action::CleanupBeside(hook) => register(&handle, records, hook, true),
            Action::Stop => manager.stop(),
            Action::StopByHandle => handle.stop(),
            Action::StopOne(index) => {
                let tasks = records.tasks.lock().unwrap();
                if !tasks.is_empty() {
                    tasks[index % tasks.len()].handle.stop();
                }
            }
            Action::Wait(time) => {
                let _ = tokio::time::timeout(Duration::from_millis(time), manager.wait()).await;
            }
            Action::Sleep(time) => sleep(Duration::from_millis(time)).await,
        }
    }
    let waiters: Vec<JoinHandle<WaitResult>> = (0..2)
        .map(|_| {
            let handle = handle.clone();
            tokio::spawn(async move { handle.wait().await })
        })
        .collect();
    tokio::task::yield_now().await;
    let mut results = Vec::new();
    match ending {
        Ending::Shutdown => {
            let result = tokio::time::timeout(FOREVER, manager.shutdown()).await;
            results.push(result.expect("a shutdown that ends"));
        }
        Ending::Drop => drop(manager),
    }
    for waiter in waiters {
        let result = tokio::time::timeout(FOREVER, waiter).await.expect("a wait that ends");
        results.push(result.unwrap());
    }
    (handle, results)
}

fn run(
    handle: &ManagerHandle,
    records: &Arc<Records>,
    gate: &Gate,
    critical: bool,
    phase: Phase,
    behaviour: Behaviour,
    limit: Option<u64>,
) {
    let name = format!("task-{}", records.next());
    let counters = Arc::new(Counters::default());
    let guard = CountDrop(Arc::clone(&counters));
    let (inner, gate) = (Arc::clone(records), gate.clone());
    let own = handle.clone();
    let task = task_fn(name.clone(), async move |ctx: Context| {
        guard.0.polls.fetch_add(1, Ordering::SeqCst);
        let result = behave(behaviour, &ctx, &own, &inner, &gate).await;
        drop(guard);
        result
    });
    let limit = limit.map(Duration::from_millis);
    let task = task.in_phase(phase).stopping_within(limit.map_or(Timeout::Never, Timeout::After));
    let gates = matches!(behaviour, Behaviour::Flickers(_));
    let task = if gates { task.gating_readiness().boxed() } else { task.boxed() };
    let is_late = handle.group().is_none_or(|group| group.step() > Step::Running);
    let admitted = if critical { handle.run(task) } else { handle.run_ephemeral(task) };
    match admitted {
        Ok(handle) => {
            let task = TaskRecord { name, phase, is_late, limit, behaviour, handle, counters };
            records.tasks.lock().unwrap().push(task);
        }
        Err(refused) => {
            assert!(refused.is_too_late(), "{refused}");
            assert_eq!(counters.drops.load(Ordering::SeqCst), 0, "handed back, not dropped");
            drop(refused.into_inner());
            assert_eq!(counters.polls.load(Ordering::SeqCst), 0, "refused, and still polled");
        }
    }
}

async fn behave(
    behaviour: Behaviour,
    ctx: &Context,
    handle: &ManagerHandle,
    records: &Arc<Records>,
    gate: &Gate,
) -> anyhow::Result<()> {
    let millis = Duration::from_millis;
    match behaviour {
        Behaviour::CompletesAfter(time) => sleep(millis(time)).await,
        Behaviour::FailsAfter(time) => {
            sleep(millis(time)).await;
            return Err(anyhow!("failed on schedule"));
        }
        Behaviour::PanicsAfter(time) => {
            sleep(millis(time)).await;
            quiet_panic();
        }
        Behaviour::Stops(time) => {
            ctx.cancelled().await;
            sleep(millis(time)).await;
        }
        Behaviour::StopsByError => ctx.or_cancelled(pending::<()>()).await?,
        Behaviour::FailsWhenStopped(time) => {
            ctx.cancelled().await;
            sleep(millis(time)).await;
            return Err(anyhow!("failed when stopped"));
        }
        Behaviour::Unresponsive => pending().await,
        Behaviour::HoldsOn(time) => {
            let hold = ctx.hold();
            let mut gate = gate.clone();
            tokio::spawn(async move {
                let _ = tokio::time::timeout(millis(10 * time), gate.wait_for(|open| *open)).await;
                drop(hold);
            });
        }
        Behaviour::PanicsInDrop => {
            struct Bomb;
            impl Drop for Bomb {
                fn drop(&mut self) {
                    quiet_panic();
                }
            }
            let _bomb = Bomb;
            pending().await
        }
        Behaviour::Survives(time) => {
            ctx.record_failure(anyhow!("survived"));
            ctx.cancelled().await;
            sleep(millis(time)).await;
        }
        Behaviour::RequestsStop(time) => {
            sleep(millis(time)).await;
            ctx.request_stop("enough");
        }
        Behaviour::Escalates(time, level) => {
            sleep(millis(time)).await;
            ctx.escalate(level);
        }
        Behaviour::Spawns(time) => {
            sleep(millis(time)).await;
            run(handle, records, gate, false, Phase::SUPPORT, Behaviour::Stops(time), None);
        }
        Behaviour::Flickers(time) => {
            for ready in [true, false, true] {
                ctx.set_ready(ready);
                ctx.or_cancelled(sleep(millis(time))).await?;
            }
            ctx.cancelled().await;
        }
    }
    Ok(())
}

/// Panics without a message on stderr.
fn quiet_panic() -> ! {
    std::panic::resume_unwind(Box::new("panicked on schedule"))
}

fn register(handle: &ManagerHandle, records: &Arc<Records>, hook: Hook, beside: bool) {
    let step = handle.group().map_or(Step::Ended, |group| group.step());
    let (is_late, is_planned) = (step >= Step::CleaningUp, step == Step::Running);
    let name = format!("hook-{}", records.next());
    let [runs, ran_at] = [(); 2].map(|()| Arc::new(AtomicUsize::new(0)));
    let run = {
        let (records, handle) = (Arc::clone(records), handle.clone());
        let (runs, ran_at) = (Arc::clone(&runs), Arc::clone(&ran_at));
        async move |ctx: Context| {
            let left = ctx.remaining().expect("a limit");
            runs.fetch_add(1, Ordering::SeqCst);
            ran_at.store(records.next(), Ordering::SeqCst);
            record_alive_tasks(&records);
            match hook {
                Hook::Succeeds(time) => sleep(Duration::from_millis(time)).await,
                Hook::Fails => return Err(anyhow!("failed to clean")),
                Hook::Panics => quiet_panic(),
                Hook::Hangs => sleep(left + RESOLUTION).await,
                Hook::Registers => register(&handle, &records, Hook::Succeeds(1), false),
            }
            Ok(())
        }
    };
    let registered = if beside {
        handle.cleanup_beside(name.clone(), run).map_err(drop)
    } else {
        handle.cleanup_with(name.clone(), run).map_err(drop)
    };
    if registered.is_ok() {
        let hook = HookRecord { name, hook, runs, is_late, is_planned, ran_at };
        records.hooks.lock().unwrap().push(hook);
    }
}

/// Records the tasks that are alive and not abandoned, of which Invariant 8 allows none.
fn record_alive_tasks(records: &Records) {
    let tasks = records.tasks.lock().unwrap();
    let beside = tasks.iter().filter(|task| task.handle.outcome().is_none());
    records.alive_in_cleanups.lock().unwrap().extend(beside.map(|task| task.name.clone()));
}
